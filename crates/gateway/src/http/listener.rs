//! The accept loop of one listener.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::connection::Connection;
use super::front::Front;
use crate::config::TlsFiles;

/// How long the loop rests when the process has no file descriptors left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A socket on which clients come in, bound by the caller.
#[derive(Debug)]
pub struct Listener {
    /// The bound socket.
    pub socket: TcpListener,
    /// With TLS if this is there.
    pub tls: Option<TlsFiles>,
}

impl Listener {
    /// A listener without TLS.
    pub fn plain(socket: TcpListener) -> Self {
        Self { socket, tls: None }
    }
}

/// Accepts until `stop`.
pub(crate) async fn accept(
    front: Arc<Front>,
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) {
    let stopped = stop.cancelled();
    tokio::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => return,
            // Cancel-safe: a connection that was not taken stays in the backlog.
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                begin(&front, stream, peer, tls.as_ref());
            }
            Err(error) if is_of_one_connection(&error) => {
                debug!(%error, "a connection was lost before it was accepted");
            }
            Err(error) => {
                warn!(%error, "no connections can be accepted for now");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

fn begin(front: &Arc<Front>, stream: TcpStream, peer: std::net::SocketAddr, tls: Option<&TlsAcceptor>) {
    let Some(permit) = front.admit_connection() else {
        debug!(%peer, "too many connections are pending: this one is closed unread");
        return;
    };
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "a connection was lost at once");
        return;
    }
    let connection = Connection { front: Arc::clone(front), peer, _permit: permit };
    // Boxed at once: it is large, and would be copied from hand to hand.
    front.spawn_connection(Box::pin(connection.run(stream, tls.cloned())));
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused | K::Interrupted)
}
