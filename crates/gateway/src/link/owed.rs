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
    use std::sync::atomic::Ordering;
    use std::task::Waker;

    use ringway_proto::v1::Open;
    use ringway_ring::Slot;
    use ringway_session::SessionId;
    use tungstenite::Message;

    use super::super::testing::{Count, link, pen};
    use super::*;
    use crate::metrics::Meters;

    #[tokio::test]
    async fn whoever_was_not_written_to_is_woken_at_the_end() {
        let ((pen, _client), link) = (pen().await, link(Meters::new()));
        let id = SessionId::new(Slot::of(b"alice"), 1);
        let (channel, _) = link.open(id, Open::default()).expect("the link is up");
        let woken = Arc::new(Count::default());
        channel.register(&Waker::from(Arc::clone(&woken)));
        assert!(channel.outbound().leave_pen(pen).is_ok());
        let mut owed = Owed::default();
        assert!(channel.outbound().push(Message::text("to be written")));
        link.seats().into_iter().for_each(|seat| owed.add(seat));
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        drop(owed);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(channel.outbound().push(Message::text("behind it")), "nobody is to write it yet");
    }
}
