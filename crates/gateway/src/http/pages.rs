//! Pages beside the clients' sockets: what they are is for others to know.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt as _;
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
        true => timeout(BODY_TIMEOUT, read(body)).await.ok().flatten(),
        false => Some(Bytes::new()),
    };
    let body = body.ok_or(Refusal::BodyUnreadable(BODY_BYTES_MAX))?;
    Ok(pages.answer(Request::from_parts(head, body), peer).await.map(Body::new))
}

/// A whole body in one piece, however many it came in; nothing if it breaks off or is too large.
async fn read<B: HttpBody>(body: B) -> Option<Bytes> {
    let (mut body, mut whole) = (std::pin::pin!(body), BytesMut::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            if whole.len() + data.remaining() > BODY_BYTES_MAX {
                return None;
            }
            whole.put(data);
        }
    }
    Some(whole.freeze())
}
