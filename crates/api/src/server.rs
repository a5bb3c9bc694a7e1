//! The listener: connections come in, and requests on them are answered, until the shutdown.
//!
//! Who has shown no key yet is a stranger: its connection lives for `stranger_timeout` and no longer, whatever comes on it.
//!
//! Its end: no new connections; those without a request are closed, the others after the answer that is under way; what is left
//! after the deadline is cut off. Whoever drops the future of [`serve`] leaves nothing running.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::api::Api;
use crate::config::ApiConfig;
use crate::metrics::Present;
use crate::peer::Peer;

/// How long accepting rests after the system refused it, as when no file descriptors are left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How long the last answer of a connection may take: longer than any request, with its body and the wait for an acknowledgement.
const LAST_ANSWER_MAX: Duration = Duration::from_secs(150);

/// How long that to a stranger may take: as long as its body is passed over, and a little more.
const LAST_REFUSAL_MAX: Duration = Duration::from_secs(2);

/// Serves the API on this listener, over TLS if there is an acceptor, until `shutdown`.
pub async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, api: Api, shutdown: CancellationToken) {
    let room = Arc::new(Semaphore::new(api.config().connections_max.clamp(1, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            // All three are cancel-safe.
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (stream, peer, permit) = accept(&listener, &room) => {
                let (api, tls, stop) = (api.clone(), tls.clone(), shutdown.clone());
                connections.spawn(async move {
                    let _present = (Present::connection(), permit);
                    serve_connection(api, stream, peer, tls, stop).await;
                });
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(api.config().shutdown_timeout, ended).await.is_err() {
        warn!(left = connections.len(), "some requests of the API did not end in time, they are cut off");
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                warn!(%error, "the API cannot accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

async fn serve_connection(
    api: Api,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        return debug!(%peer, %error, "a connection of the API was lost at once");
    }
    let known_by = Instant::now() + api.config().stranger_timeout;
    let Some(tls) = tls else { return serve_http(api, stream, (peer, known_by), stop).await };
    let handshake = timeout_at(known_by, tls.accept(stream));
    match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => serve_http(api, stream, (peer, known_by), stop).await,
        Some(Ok(Err(error))) => debug!(%peer, %error, "the TLS handshake failed"),
        Some(Err(_)) => debug!(%peer, "the TLS handshake took too long"),
        None => debug!(%peer, "a TLS handshake is cut off: the node shuts down"),
    }
}

/// Answers the requests of a peer, who must be known by a moment.
async fn serve_http<S>(
    api: Api,
    stream: S,
    (address, known_by): (SocketAddr, Instant),
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let ApiConfig { head_timeout, lifetime_max, .. } = *api.config();
    let (peer, api) = (&Peer::stranger(address), &api);
    let service = service_fn(|request| async move { Ok::<_, Infallible>(api.answer(request, peer).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let served = tokio::select! {
        biased;
        // All four are cancel-safe: the connection goes on below.
        served = connection.as_mut() => Ok(served),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            Ok(connection.await)
        }
        () = still_strange(peer, known_by) => {
            connection.as_mut().graceful_shutdown();
            last_answer(peer, connection).await
        }
        () = sleep(lifetime_max) => {
            connection.as_mut().graceful_shutdown();
            last_answer(peer, connection).await
        }
    };
    match served {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(peer = %address, %error, "a connection of the API broke"),
        Err(_) => {
            debug!(peer = %address, "a client of the API shows no key or takes no answers, it is cut off");
        }
    }
}

/// The moment by which a peer must be known, if it is not; otherwise never.
async fn still_strange(peer: &Peer, known_by: Instant) {
    sleep_until(known_by).await;
    if peer.is_known() {
        pending::<()>().await;
    }
}

/// Waits for a connection's last answer: not for long if nobody who is known waits for it, too. Whoever has been let in at the
/// last moment gets the answer to what may have been carried out.
async fn last_answer<C: Future>(peer: &Peer, mut connection: Pin<&mut C>) -> Result<C::Output, Elapsed> {
    match timeout(LAST_REFUSAL_MAX, connection.as_mut()).await {
        Err(_) if peer.is_known() => timeout(LAST_ANSWER_MAX, connection).await,
        ended => ended,
    }
}
