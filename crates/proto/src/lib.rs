//! The gRPC interface of ringway: the code generated from `/proto`, conversions, and the one map from
//! refusals to statuses.
//!
//! Nothing else in the workspace knows how a refusal looks on the wire: a node answers with
//! [`Refusal`], a caller reads it back with [`Refusal::from_status`].

mod json;
mod refusal;

pub use json::session_json;
pub use refusal::{Reason, Refusal, Retry};

/// The messages and services of the package `ringway.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, unreachable_pub)]
pub mod v1 {
    tonic::include_proto!("ringway.v1");
}

/// The encoded file descriptors of the package, for gRPC server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ringway.v1.bin"));

/// The version of the protocol of links (link.proto) that gateways and workers of this build speak.
pub const LINK_PROTOCOL: u32 = 3;
