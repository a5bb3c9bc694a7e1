//! Who is at the other end of a connection: an address, and whether a request from there was let in.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

/// The other end of one connection: a stranger, until a request on it has been let in.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    is_known: AtomicBool,
}

impl Peer {
    /// A stranger.
    pub(crate) fn stranger(address: SocketAddr) -> Self {
        Self { address, is_known: AtomicBool::new(false) }
    }

    /// A request from there was let in.
    pub(crate) fn let_in(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }
}
