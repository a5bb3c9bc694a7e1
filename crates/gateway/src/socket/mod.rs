//! The clients' sockets: one small task for each.
//!
//! [`client::Client`] relays between a socket and its session's channel; [`wire::Wire`] speaks WebSocket for it and costs
//! nothing while the client is quiet; [`boundary::FrameBoundary`] tells when that is, and [`batch`] frames what goes out. Whoever
//! holds the [`Pen`] writes.

mod batch;
mod boundary;
mod client;
mod line;
mod pen;
mod wire;

pub(crate) use client::{Client, SocketShared};
pub(crate) use line::{Line, Plain};
pub(crate) use pen::Pen;
pub(crate) use wire::Wire;
