//! What the tests of this folder share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use ringway_ring::MemberId;
use tokio::net::{TcpListener, TcpStream};

use super::table::Link;
use crate::config::{MovingConfig, Routing};
use crate::metrics::Meters;
use crate::moving::Moves;
use crate::socket::Pen;

/// A task that counts how often it was woken.
#[derive(Default)]
pub(super) struct Count(pub(super) AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) fn moves(meters: Arc<Meters>) -> Arc<Moves> {
    Moves::new(&Routing::Everywhere, MovingConfig::default(), meters)
}

/// A link that is up.
pub(super) fn link(meters: Arc<Meters>) -> Arc<Link> {
    Link::new(MemberId::new("w1").expect("an id"), 1024, moves(meters))
}

/// The pen of a client, and the client's end of its socket.
pub(super) async fn pen() -> (Pen, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a stream");
    let (_, half) = listener.accept().await.expect("the other end").0.into_split();
    (Pen::new(half), client)
}
