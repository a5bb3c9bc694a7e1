//! One connection while it speaks HTTP: until it is closed, or a request on it was answered 101.
//!
//! Then hyper gives back the bare stream and what it has read too much of it, and a client's task begins with both: a
//! client may send its first frame together with the handshake.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::front::{Admitted, Front};
use crate::socket::{Line, Plain};

/// How long, and how much, a connection is read after its last answer, so that the answer is not lost to a reset.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: u64 = 256 * 1024;

/// A connection that is no client socket yet.
pub(super) struct Connection {
    pub(super) front: Arc<Front>,
    pub(super) peer: SocketAddr,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// Where the answer 101 leaves what it stands for.
type Slot = Arc<Mutex<Option<Admitted>>>;

impl Connection {
    pub(super) async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        match tls {
            None => self.serve(Plain::new(stream)).await,
            Some(tls) => match timeout(self.front.http().handshake_timeout, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.serve(Box::new(stream)).await,
                Ok(Err(error)) => debug!(peer = %self.peer, %error, "the TLS handshake failed"),
                Err(_) => debug!(peer = %self.peer, "the TLS handshake took too long"),
            },
        }
    }

    async fn serve<S: Line>(self, stream: S) {
        let slot = Slot::default();
        let service = service_fn(|request| {
            let (front, peer, slot) = (Arc::clone(&self.front), self.peer, Arc::clone(&slot));
            Box::pin(async move {
                let (response, admitted) = front.answer(request, peer).await;
                *slot.lock() = admitted;
                Ok::<_, Infallible>(response)
            })
        });
        let http = self.front.http();
        let connection = builder(http).serve_connection(TokioIo::new(stream), service);
        let served = timeout(http.lifetime_max, connection.without_shutdown()).await;
        let parts = match served {
            Ok(Ok(parts)) => parts,
            Ok(Err(error)) => return debug!(peer = %self.peer, %error, "the connection failed"),
            Err(_) => return debug!(peer = %self.peer, "the connection lived too long"),
        };
        let admitted = slot.lock().take();
        match admitted {
            Some(admitted) => self.front.begin_client(parts.io.into_inner(), &parts.read_buf, admitted),
            None => part(parts.io.into_inner()).await,
        }
    }
}

fn builder(config: &crate::config::HttpConfig) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(config.handshake_timeout)
        // Twice the bound: what is a little too long gets an answer that says so, the rest a bare 431.
        .max_buf_size(2 * config.head_bytes_max);
    builder
}

/// Ends a connection so that the client sees the last answer.
async fn part(mut stream: impl Line) {
    let farewell = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(LINGER_BYTES_MAX), &mut tokio::io::sink()).await
    };
    // Nobody is left to whom it matters whether this went well.
    timeout(LINGER_TIMEOUT, farewell).await.ok();
}
