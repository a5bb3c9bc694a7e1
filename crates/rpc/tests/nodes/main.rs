//! Nodes of this crate's shell and the channels to them, over real sockets on ports from the kernel.

#![allow(clippy::unwrap_used)]

mod fake;
mod publisher;
mod server;
mod shutdown;
mod strangers;
mod transport;
