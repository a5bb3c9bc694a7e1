//! The listener: connections come in, and requests on them are answered, until the shutdown.
//!
//! Its end: no new connections; those without a request are closed, the others after the answer that is under way; what is left
//! after the deadline is cut off. Whoever drops the future of [`serve`] leaves nothing running.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::api::Api;
use crate::config::ApiConfig;
use crate::metrics::Present;

/// How long accepting rests after the system refused it, as when no file descriptors are left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How long the last answer of a connection may take: longer than any request, with its body and the wait for an acknowledgement.
const LAST_ANSWER_MAX: Duration = Duration::from_secs(150);

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
    let Some(tls) = tls else { return serve_http(api, stream, peer, stop).await };
    let handshake = timeout(api.config().head_timeout, tls.accept(stream));
    match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => serve_http(api, stream, peer, stop).await,
        Some(Ok(Err(error))) => debug!(%peer, %error, "the TLS handshake failed"),
        Some(Err(_)) => debug!(%peer, "the TLS handshake took too long"),
        None => debug!(%peer, "a TLS handshake is cut off: the node shuts down"),
    }
}

async fn serve_http<S>(api: Api, stream: S, peer: SocketAddr, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let ApiConfig { head_timeout, lifetime_max, .. } = *api.config();
    let service = service_fn(|request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(api.answer(request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let served = tokio::select! {
        biased;
        // All three are cancel-safe: the connection goes on below.
        served = connection.as_mut() => Ok(served),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            Ok(connection.await)
        }
        () = sleep(lifetime_max) => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_ANSWER_MAX, connection).await
        }
    };
    match served {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%peer, %error, "a connection of the API broke"),
        Err(_) => debug!(%peer, "a client of the API takes no answers, it is cut off"),
    }
}
