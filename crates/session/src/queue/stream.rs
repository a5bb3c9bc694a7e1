//! The numbered stream of a session that acknowledges: what was sent and may have to be sent again.
//!
//! Offsets grow by one with each message and are never used twice. What is acknowledged is forgotten; everything after
//! the `floor` and up to the last offset is here or waits, so a client that has all up to the floor misses nothing.

use std::collections::VecDeque;

use super::Item;

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acked {
    /// It was taken note of.
    Noted,
    /// Nothing of that offset was ever sent.
    OutOfRange {
        /// The highest offset that was.
        sent: u64,
    },
}

/// The numbered stream of one session.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Another number whenever offsets begin anew.
    pub(crate) epoch: u64,
    /// The offset of the newest message; 0 for none.
    pub(crate) last: u64,
    /// Every message up to this offset is acknowledged or lost.
    pub(crate) floor: u64,
    /// Sent and not acknowledged, in order.
    pub(crate) unacked: VecDeque<Item>,
    pub(crate) unacked_bytes: u64,
    /// The number of the attempt with which its client resumed it last; 0 for none.
    pub(crate) attempt: u64,
}

impl Stream {
    pub(crate) fn new(epoch: u64) -> Self {
        Stream { epoch, last: 0, floor: 0, unacked: VecDeque::new(), unacked_bytes: 0, attempt: 0 }
    }

    pub(crate) fn next_offset(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(crate) fn sent(&mut self, item: Item) {
        self.unacked_bytes += item.cost_bytes();
        self.unacked.push_back(item);
    }

    /// Forgets what the client has, after a look at each.
    pub(crate) fn acknowledge(&mut self, offset: u64, mut look: impl FnMut(&Item)) -> Acked {
        if offset > self.last {
            return Acked::OutOfRange { sent: self.last };
        }
        self.floor = self.floor.max(offset);
        while let Some(item) = self.unacked.pop_front_if(|item| item.offset <= offset) {
            self.unacked_bytes -= item.cost_bytes();
            look(&item);
        }
        if self.unacked.is_empty() {
            self.unacked = VecDeque::new();
        }
        Acked::Noted
    }

    /// The client was sent up to this offset, perhaps by a worker that died: what it sent is not here.
    pub(crate) fn know_of(&mut self, offset: u64) {
        if offset > self.last {
            (self.last, self.floor) = (offset, offset);
            (self.unacked, self.unacked_bytes) = (VecDeque::new(), 0);
        }
    }

    /// Takes out what was sent after this offset, in order: it is to be sent again.
    pub(crate) fn take_after(&mut self, offset: u64) -> VecDeque<Item> {
        let known = self.unacked.iter().take_while(|item| item.offset <= offset).count();
        let again = self.unacked.split_off(known);
        self.unacked_bytes -= again.iter().map(Item::cost_bytes).sum::<u64>();
        again
    }
}
