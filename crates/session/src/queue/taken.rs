//! What a client has taken of what is stored: by acknowledging it, or, where it does not acknowledge, by its gateway's report
//! that it was written.

use std::collections::VecDeque;

use crate::mailbox::{MailboxPlace, Stored, Taken};

/// What was taken and not told yet.
#[derive(Debug, Default)]
pub(super) struct Untold(Option<Taken>);

impl Untold {
    pub(super) fn add(&mut self, stored: Stored) {
        let Stored { place, until_first_ack } = stored;
        let withdrawn = until_first_ack.then_some(place.offset);
        match &mut self.0 {
            Some(taken) if taken.upto.epoch == place.epoch => {
                taken.upto.offset = taken.upto.offset.max(place.offset);
                taken.withdrawn.extend(withdrawn);
            }
            other => *other = Some(Taken { upto: place, withdrawn: withdrawn.into_iter().collect() }),
        }
    }

    pub(super) fn tell(&mut self) -> Option<Taken> {
        self.0.take()
    }

    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

/// Stored messages on their way to a client that does not acknowledge.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// All bytes that were ever sent.
    sent_bytes: u64,
    /// Each with the bytes that are written when it is.
    marks: VecDeque<(u64, Stored)>,
}

impl Unwritten {
    pub(super) fn sent(&mut self, bytes: u64, stored: Option<Stored>) {
        self.sent_bytes += bytes;
        self.marks.extend(stored.map(|stored| (self.sent_bytes, stored)));
    }

    /// So many bytes are still on their way.
    pub(super) fn in_flight(&mut self, bytes: u64, untold: &mut Untold) {
        let written_bytes = self.sent_bytes - bytes;
        while let Some((_, stored)) = self.marks.pop_front_if(|(mark, _)| *mark <= written_bytes) {
            untold.add(stored);
        }
    }

    /// Those on their way are lost, or nobody knows.
    pub(super) fn forget(&mut self) {
        self.marks.clear();
    }

    /// The last of those on their way.
    pub(super) fn last(&self) -> Option<MailboxPlace> {
        self.marks.back().map(|(_, stored)| stored.place)
    }
}
