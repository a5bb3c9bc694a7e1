//! A gateway: takes client sockets, authenticates, and links them to their workers.
//!
//! A client costs one socket in the whole cluster, and that socket ends here. Its handshake is checked (`http`), its
//! user's owner is looked up in the present view and asked for a session (`route`) over a link that thousands of
//! sessions share (`link`), and only then the client has its 101. From there on a small task relays messages both ways
//! (`socket`). When its session moves to another worker, or has lost its own, the client does not notice (`moving`). Calls
//! of plain gRPC clients are forwarded to the workers concerned (`services`).
//!
//! The gateway holds no business state. What it promises: nobody who has not passed authentication is heard by a worker;
//! what a worker was told is there ends with `Gone`, whatever happens here; a client that does not read, or a worker that
//! does not, slows down its own traffic only.

pub mod config;
mod gateway;
mod handshake;
mod http;
mod link;
mod metrics;
mod moving;
mod payload;
mod refusal;
mod resume;
mod route;
mod services;
mod socket;

pub use config::{
    GatewayConfig, HttpConfig, LinkConfig, MovingConfig, PathRules, Routing, ShutdownConfig, SocketConfig,
    TlsFiles,
};
pub use gateway::{Gateway, GatewayError, GatewayParts, MetricsRenderer};
pub use http::{Listener, OPERATOR_PATHS, Pages, TlsError};
pub use link::{GatewayStream, Grpc, InProcess, LinkConnector, WorkerStream};
pub use services::{ForwardConfig, add_services};
