//! A small HTTP server for operators: `/healthz` (the process lives), `/readyz` (it takes work), `/metrics`.
//!
//! It is meant for a private address: nothing on it asks for a secret. Connections are few, short and bounded.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ringway_rpc::HealthHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Metrics;

/// How many connections are open at once. Further ones wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection lives, whatever it is doing.
const CONNECTION_LIFE_MAX: Duration = Duration::from_secs(30);
/// How long the head of a request may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long accepting rests after the system refused it, as when no file descriptors are left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What the server tells.
#[derive(Clone)]
pub(crate) struct StatusServer {
    /// Whether the node takes work.
    pub(crate) health: HealthHandle,
    /// What was measured.
    pub(crate) metrics: Metrics,
}

/// Serves until `shutdown`. Connections under way are dropped then.
pub(crate) async fn serve_status(listener: TcpListener, status: StatusServer, shutdown: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let status = Arc::new(status);
    let accepting = async {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let serving = serve_connection(stream, Arc::clone(&status), shutdown.clone());
                    tokio::spawn(async move {
                        serving.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the status server cannot accept a connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accepting).await;
}

async fn serve_connection(stream: TcpStream, status: Arc<StatusServer>, shutdown: CancellationToken) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let response = status.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let bounded = tokio::time::timeout(CONNECTION_LIFE_MAX, connection);
    if let Some(Ok(Err(error))) = shutdown.run_until_cancelled(bounded).await {
        tracing::debug!(%error, "a connection of the status server broke");
    }
}

impl StatusServer {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.health.is_serving() => text(StatusCode::OK, "ready\n"),
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            "/metrics" => text(StatusCode::OK, self.metrics.render()),
            _ => text(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
