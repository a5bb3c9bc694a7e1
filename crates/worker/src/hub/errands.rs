//! What sessions want of their users' mailboxes, as it waits to be carried out. At most one thing for each session, and of what
//! its clients have taken one sum for each device and epoch.

use std::collections::VecDeque;
use std::sync::Arc;

use ringway_session::{
    MailboxOpened, MailboxPage, MailboxPlace, MailboxWish, Message, Reach, SessionId, StoredElsewhere, Taken,
    UserId,
};
use rustc_hash::FxHashMap;

use super::{Hub, Placed, metrics};
use crate::link::outbox::Outbox;

/// One thing to be done with a mailbox for a session.
#[derive(Debug)]
pub(crate) enum Errand {
    /// Find out what is in it.
    Open(MailboxWish),
    /// Read what stands behind a place.
    Read(ReadErrand),
}

/// What is to be read for a session.
#[derive(Clone, Debug)]
pub(crate) struct ReadErrand {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    pub(crate) after: MailboxPlace,
    pub(crate) bytes_max: u64,
}

/// What a device has taken.
#[derive(Debug)]
pub(crate) struct TakenBy {
    pub(crate) user: UserId,
    pub(crate) device: Box<str>,
    pub(crate) taken: Taken,
}

#[derive(Debug, Default)]
pub(super) struct Errands {
    waiting: VecDeque<Errand>,
    /// By user, device and epoch.
    taken: FxHashMap<(UserId, Box<str>, u64), Taken>,
}

impl Errands {
    pub(super) fn push(&mut self, errand: Errand) {
        self.waiting.push_back(errand);
    }

    pub(super) fn taken(&mut self, by: TakenBy) {
        let TakenBy { user, device, taken } = by;
        let sum = self
            .taken
            .entry((user, device, taken.upto.epoch))
            .or_insert_with(|| Taken { upto: taken.upto, withdrawn: Vec::new() });
        sum.upto.offset = sum.upto.offset.max(taken.upto.offset);
        sum.withdrawn.extend(taken.withdrawn);
    }
}

/// A stored message that was put on its way.
pub(crate) struct SentStored {
    pub(crate) reach: Reach,
    /// The user belongs to another worker by now, which must be told.
    pub(crate) is_elsewhere: bool,
    /// Outboxes above their mark.
    pub(crate) crowded: Vec<Arc<Outbox>>,
}

impl Hub {
    /// What waits to be done with mailboxes. Cancel-safe.
    pub(crate) async fn next_errand(&self) -> Errand {
        loop {
            if let Some(next) = self.state.lock().errands.waiting.pop_front() {
                return next;
            }
            self.to_run.notified().await;
        }
    }

    /// Waits until clients have taken something. Cancel-safe.
    pub(crate) async fn some_taken(&self) {
        while self.state.lock().errands.taken.is_empty() {
            self.to_tell.notified().await;
        }
    }

    /// What clients have taken since this was asked last.
    pub(crate) fn take_taken(&self) -> Vec<TakenBy> {
        let taken = std::mem::take(&mut self.state.lock().errands.taken);
        taken.into_iter().map(|((user, device, _), taken)| TakenBy { user, device, taken }).collect()
    }

    /// The store could not be told: it waits again.
    pub(crate) fn taken_again(&self, by: TakenBy) {
        self.state.lock().errands.taken(by);
        self.to_tell.notify_one();
    }

    /// Sends what was just stored for a user.
    pub(crate) fn send_stored(&self, user: &UserId, message: &Message) -> SentStored {
        let now = self.clock.now();
        let (placed, is_elsewhere) = self.act(|state, out| {
            let sent = state.shard.send_stored(user, message, now, out);
            let reach = sent.unwrap_or_default();
            (
                state.placed(ringway_session::Sent { reach, ..Default::default() }, out),
                sent == Err(StoredElsewhere),
            )
        });
        self.metrics.sent(metrics::Target::User, placed.sent.reach, message.payload());
        let Placed { sent, crowded, .. } = placed;
        SentStored { reach: sent.reach, is_elsewhere, crowded }
    }

    /// The mailbox of a session's user is open.
    pub(crate) fn mailbox_opened(&self, session: SessionId, opened: MailboxOpened) {
        self.act(|state, out| state.shard.mailbox_opened(session, opened, out));
    }

    /// A mailbox holds everything up to this place.
    pub(crate) fn mailbox_grew(&self, user: &UserId, end: MailboxPlace) {
        self.act(|state, out| state.shard.mailbox_grew(user, end, out));
    }

    /// What was to be read is here.
    pub(crate) fn mailbox_read(&self, session: SessionId, page: &MailboxPage) {
        self.act(|state, out| state.shard.mailbox_read(session, page, out));
    }

    /// Whether a session still waits for what stands behind a place.
    pub(crate) fn awaits_page(&self, session: SessionId, after: MailboxPlace) -> bool {
        self.state.lock().shard.awaits_page(session, after)
    }

    /// Whether a session is here.
    pub(crate) fn has_session(&self, session: SessionId) -> bool {
        self.state.lock().shard.table().session(session).is_some()
    }
}
