//! How nodes talk: authenticated, pooled channels, pipelined publishing, and the shell of a node's gRPC server.
//!
//! - [`ClusterSecret`] lets a caller in; [`NodeUrl`] says where a node is.
//! - [`NodePool`] gives a [`NodeChannel`] for each node, and that the generated clients.
//! - [`Publisher`] sends messages to one node on one stream, without waiting for each answer.
//! - [`serve_node`] serves a node's services with health, reflection, authentication and an orderly end.
//!
//! Errors of the transport come as statuses that [`Refusal::from_status`](ringway_proto::Refusal::from_status) reads:
//! `Unreachable` when the call surely never left, `ConnectionLost` when nobody knows.
//!
//! Metrics: `ringway_rpc_client_calls_total{method}` and `ringway_rpc_server_calls_total{method,code}`; a stream counts
//! as one call.

mod channel;
mod connector;
mod failure;
mod limits;
mod methods;
mod pool;
mod publisher;
mod secret;
mod server;
mod transport;
mod url;

pub use channel::NodeChannel;
pub use limits::{MESSAGE_BYTES_MAX_DEFAULT, NodeLimits};
pub use pool::{NodePool, PoolConfig};
pub use publisher::{
    Entered, PublishTicket, Publisher, PublisherConfig, Reserved, StreamId, Unentered, payload_bytes,
};
pub use secret::{ClusterSecret, SECRET_BYTES_MAX, SECRET_BYTES_MIN, SecretError};
pub use server::{HealthHandle, NodeServices, ServeError, ServerConfig, serve_node};
pub use transport::Authorized;
pub use url::{NodeUrl, NodeUrlError};
