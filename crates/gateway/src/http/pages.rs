//! Pages beside the clients' sockets: what they are is for others to know.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body as HttpBody;
use tokio::time::timeout;

use super::Body;
use crate::refusal::Refusal;

/// The largest body of a request for a page.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long it may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers requests that are neither for sockets nor for the gateway itself.
#[async_trait]
pub trait Pages: Send + Sync {
    /// Whether something may be at this path.
    fn has(&self, path: &str) -> bool;

    /// Answers a request for such a path.
    async fn answer(&self, request: Request<Bytes>, peer: SocketAddr) -> Response<Bytes>;
}

/// Reads a request whole and has it answered.
pub(super) async fn answer<B>(
    pages: &dyn Pages,
    request: Request<B>,
    peer: SocketAddr,
) -> Result<Response<Body>, Refusal>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let body = timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let Ok(Ok(body)) = body else { return Err(Refusal::BodyUnreadable(BODY_BYTES_MAX)) };
    Ok(pages.answer(Request::from_parts(head, body.to_bytes()), peer).await.map(Body::new))
}
