//! The shell of a node's gRPC server: who may come in, what is counted, how it ends.
//!
//! A check of the health is open to all; everything else needs the cluster secret, which is looked at before a
//! request's body is, and a connection that does not show it in time is dropped. Shutdown has three phases: stop accepting and report "not serving"; tell the peers to go
//! (GOAWAY) and let calls finish, for at most `shutdown_timeout`; drop the connections that are left, so that a stream
//! without an end never holds the process.

mod accept;
mod auth;
mod count;
mod health;
mod probation;
mod size;

use std::convert::Infallible;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic::transport::Server;
use tower::Service;

use crate::ClusterSecret;
use accept::Connections;
use auth::AuthLayer;
use count::CountLayer;
pub use health::HealthHandle;
use size::SizeLayer;

/// Resets of streams that a connection may have pending before it is closed (CVE-2023-44487): above what callers'
/// deadlines cause, far below what an attack needs.
const PENDING_RESETS_MAX: usize = 256;

/// How a node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// How many connections are open at a time; beyond it, further ones wait in the listener's backlog.
    pub connections_max: usize,
    /// How many calls one connection may have under way; beyond it, the peer holds them back.
    pub streams_per_connection_max: u32,
    /// HTTP/2 flow control: how much of one stream may be under way to us unread.
    pub stream_window_bytes: u32,
    /// HTTP/2 flow control: how much of all streams of a connection may be under way to us unread.
    pub connection_window_bytes: u32,
    /// How long a new connection may take for the HTTP/2 preface; beyond it, it is dropped.
    pub preface_timeout: Duration,
    /// How long a new connection may last without a call that shows the cluster secret; beyond it, it is dropped. A
    /// stranger's health probe takes its answer sooner, and may come again.
    pub authenticate_timeout: Duration,
    /// How often a connection is probed with an HTTP/2 ping.
    pub keepalive_interval: Duration,
    /// How long the answer to a ping may take; beyond it the connection is dropped.
    pub keepalive_timeout: Duration,
    /// How long calls may go on after the shutdown began; beyond it their connections are dropped.
    pub shutdown_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            connections_max: 4096,
            streams_per_connection_max: 4096,
            stream_window_bytes: 1024 * 1024,
            connection_window_bytes: 4 * 1024 * 1024,
            preface_timeout: Duration::from_secs(5),
            authenticate_timeout: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}

/// What a node serves: its services, with health beside them.
#[derive(Debug)]
pub struct NodeServices {
    routes: RoutesBuilder,
    health: HealthHandle,
}

impl NodeServices {
    /// Nothing yet but health.
    pub fn new(health: HealthHandle) -> Self {
        NodeServices { routes: RoutesBuilder::default(), health }
    }

    /// Adds a generated server; [`NodeLimits`](crate::NodeLimits) makes them with their sizes set.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.health.add(S::NAME);
        self.routes.add_service(service);
        self
    }

    fn into_routes(mut self) -> Result<Routes, ServeError> {
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(ringway_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        self.routes.add_service(reflection().build_v1()?);
        self.routes.add_service(reflection().build_v1alpha()?);
        self.routes.add_service(self.health.server());
        Ok(self.routes.routes().prepare())
    }
}

/// Why a node's server could not be started, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The file descriptors do not make a reflection service: a defect.
    #[error("the reflection service cannot be built")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The HTTP/2 server failed.
    #[error("the gRPC server failed")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves until `shutdown` is cancelled and the phases of the shutdown are through.
///
/// # Errors
/// When the server cannot be set up. A connection that cannot be accepted is no error: it is logged, and accepting
/// goes on.
pub async fn serve_node(
    listener: TcpListener,
    services: NodeServices,
    secret: ClusterSecret,
    config: ServerConfig,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let health = services.health.clone();
    let routes = services.into_routes()?;
    let cut = CancellationToken::new();
    let _cut_when_dropped = cut.clone().drop_guard();
    let connections = Connections::new(listener, config, cut.clone());
    let serving = builder(&config)
        .layer(CountLayer::default())
        .layer(AuthLayer::new(secret))
        .layer(SizeLayer)
        .add_routes(routes)
        .serve_with_incoming_shutdown(connections.into_stream(), shutdown.clone().cancelled_owned());
    let deadline = async {
        shutdown.cancelled().await;
        health.set_not_serving();
        tokio::time::sleep(config.shutdown_timeout).await;
    };
    tokio::pin!(serving);
    tokio::select! {
        biased;
        ended = &mut serving => return Ok(ended?),
        () = deadline => {}
    }
    tracing::debug!("calls go on after the deadline of the shutdown: their connections are dropped");
    cut.cancel();
    Ok(serving.await?)
}

fn builder(config: &ServerConfig) -> Server {
    Server::builder()
        .max_concurrent_streams(config.streams_per_connection_max)
        .initial_stream_window_size(config.stream_window_bytes)
        .initial_connection_window_size(config.connection_window_bytes)
        .http2_keepalive_interval(Some(config.keepalive_interval))
        .http2_keepalive_timeout(Some(config.keepalive_timeout))
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
}
