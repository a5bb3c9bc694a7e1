//! Pages beside the clients' sockets: what they are is for others to know.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Body as HttpBody;
use ringway_body::whole;
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

    /// Whether the body of a request for such a path is to be read, and not only its head: not for everybody, since it takes room.
    fn reads_body(&self, head: &Parts) -> bool;

    /// Answers a request for such a path. Its body is empty where it was not to be read.
    async fn answer(&self, request: Request<Bytes>, peer: SocketAddr) -> Response<Bytes>;
}

/// Reads as much of a request as is wanted, and has it answered.
pub(super) async fn answer<B>(
    pages: &dyn Pages,
    request: Request<B>,
    peer: SocketAddr,
) -> Result<Response<Body>, Refusal>
where
    B: HttpBody,
{
    let (head, body) = request.into_parts();
    let body = match pages.reads_body(&head) {
        // Nothing if it is slow, breaks off, or is too large.
        true => timeout(BODY_TIMEOUT, whole(&mut pin!(body), BODY_BYTES_MAX))
            .await
            .ok()
            .and_then(Result::ok)
            .flatten(),
        false => Some(Bytes::new()),
    };
    let body = body.ok_or(Refusal::BodyUnreadable(BODY_BYTES_MAX))?;
    Ok(pages.answer(Request::from_parts(head, body), peer).await.map(Body::new))
}
