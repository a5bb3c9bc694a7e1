//! What every outgoing call passes: it gets the secret, it is counted, and when the transport fails, the caller reads
//! a refusal that says whether the call may have been carried out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::Service;

use crate::methods::{CallCounts, Method};
use crate::{ClusterSecret, NodeUrl, failure};

/// The transport of a [`NodeChannel`](crate::NodeChannel)'s clients.
#[derive(Clone, Debug)]
pub struct Authorized {
    channel: Channel,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    url: NodeUrl,
    authorization: HeaderValue,
    counts: Arc<CallCounts>,
}

impl Authorized {
    pub(crate) fn new(
        channel: Channel,
        url: NodeUrl,
        secret: &ClusterSecret,
        counts: Arc<CallCounts>,
    ) -> Self {
        // A secret is visible ASCII by construction, hence a valid header value.
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", secret.expose()))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        authorization.set_sensitive(true);
        Authorized { channel, shared: Arc::new(Shared { url, authorization, counts }) }
    }

    pub(crate) fn url(&self) -> &NodeUrl {
        &self.shared.url
    }

    fn count(&self, path: &str) {
        self.shared.counts.add(Method::of_path(path));
    }
}

impl Service<Request<Body>> for Authorized {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, tonic::transport::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        self.count(request.uri().path());
        request.headers_mut().insert(AUTHORIZATION, self.shared.authorization.clone());
        let shared = Arc::clone(&self.shared);
        let call = self.channel.call(request);
        Box::pin(async move {
            let answer = call.await;
            Ok(answer.unwrap_or_else(|error| {
                let refusal = failure::refusal(&shared.url, &error);
                tracing::debug!(url = %shared.url, reason = refusal.reason.name(), %error, "call failed");
                refusal.to_status().into_http()
            }))
        })
    }
}
