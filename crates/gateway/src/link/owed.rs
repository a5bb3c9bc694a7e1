//! Sessions for which there is something to be written, while their clients' tasks sleep.
//!
//! A link's task takes everything that is there before it writes, so that a client that gets several messages gets them in one write;
//! and it takes more between its writes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::seat::Seat;

/// How many of them are written to before others have their turn.
const WRITES_MAX: usize = 128;

/// They are written to by whoever has this; when it is dropped, the clients' tasks are woken and do it. Each is here once.
#[derive(Default)]
pub(crate) struct Owed(VecDeque<Arc<Seat>>);

impl Owed {
    pub(super) fn add(&mut self, seat: Arc<Seat>) {
        self.0.push_back(seat);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes to one after the other until others should have their turn.
    pub(super) fn write_some(&mut self) {
        let count = self.0.len().min(WRITES_MAX);
        self.0.drain(..count).for_each(|seat| seat.write_out());
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.iter().for_each(|seat| seat.outbound().disown());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Wake, Waker};

    use ringway_proto::v1::Open;
    use ringway_ring::{MemberId, Slot};
    use ringway_session::SessionId;
    use tokio::net::{TcpListener, TcpStream};
    use tungstenite::Message;

    use super::super::table::Link;
    use super::*;
    use crate::config::{MovingConfig, Routing};
    use crate::metrics::Meters;
    use crate::moving::Moves;
    use crate::socket::Pen;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn whoever_was_not_written_to_is_woken_at_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let _client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a stream");
        let (_, half) = listener.accept().await.expect("the other end").0.into_split();
        let moves = Moves::new(&Routing::Everywhere, MovingConfig::default(), Meters::new());
        let link = Link::new(MemberId::new("w1").expect("an id"), 1024, moves);
        let id = SessionId::new(Slot::of(b"alice"), 1);
        let (channel, _) = link.open(id, Open::default()).expect("the link is up");
        let woken = Arc::new(Woken::default());
        channel.register(&Waker::from(Arc::clone(&woken)));
        assert!(channel.outbound().leave_pen(Pen::new(half)).is_ok());
        let mut owed = Owed::default();
        assert!(channel.outbound().push(Message::text("to be written")));
        link.seats().into_iter().for_each(|seat| owed.add(seat));
        assert!(!woken.0.load(Ordering::Relaxed));
        drop(owed);
        assert!(woken.0.load(Ordering::Relaxed));
        assert!(channel.outbound().push(Message::text("behind it")), "nobody is to write it yet");
    }
}
