//! Messages that wait for sessions, and the one bound on all of them.

use std::sync::Arc;

use crate::directive::{Directive, Fate, Ticket, Whose};
use crate::id::SessionId;
use crate::message::Message;
use crate::name::UserId;

/// A message that waits for a session.
#[derive(Debug)]
pub(in crate::shard) struct Kept {
    pub(in crate::shard) ticket: Ticket,
    pub(in crate::shard) message: Message,
    pub(in crate::shard) audience: Audience,
}

/// To whom a kept message was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::shard) enum Audience {
    /// To one user: nobody has it but these sessions, which have it already or shall not have it. Users are found by a hash, and told
    /// apart by their names.
    User(UserId, Arc<[SessionId]>),
    /// To a group or to all: another worker may have given it to the session.
    Many,
}

impl Kept {
    /// Whether it is for this session of a user.
    pub(in crate::shard) fn is_for(&self, user: &UserId, session: SessionId) -> bool {
        match &self.audience {
            Audience::User(theirs, except) => theirs == user && !except.contains(&session),
            Audience::Many => true,
        }
    }
}

/// Gives out room and tickets.
#[derive(Debug)]
pub(super) struct Keeper {
    bytes: u64,
    bytes_max: u64,
    next: u64,
}

impl Keeper {
    pub(super) fn new(bytes_max: u64) -> Self {
        Keeper { bytes: 0, bytes_max, next: 0 }
    }

    /// A message that waits; nothing if too much waits already.
    pub(super) fn keep(&mut self, whose: Whose, message: &Message, audience: Audience) -> Option<Kept> {
        let bytes = self.bytes + cost_of(message, &audience);
        if bytes > self.bytes_max {
            return None;
        }
        self.bytes = bytes;
        self.next += 1;
        Some(Kept { ticket: Ticket { number: self.next, whose }, message: message.clone(), audience })
    }

    /// These wait no longer.
    pub(super) fn release(&mut self, kept: &[Kept]) {
        self.bytes -= cost_bytes(kept);
    }

    /// These wait no longer, and that is what became of them.
    pub(super) fn settle(&mut self, kept: &[Kept], fate: Fate, out: &mut Vec<Directive>) {
        self.release(kept);
        out.extend(kept.iter().map(|kept| Directive::Settled { ticket: kept.ticket, fate }));
    }
}

pub(super) fn cost_bytes(kept: &[Kept]) -> u64 {
    kept.iter().map(|kept| cost_of(&kept.message, &kept.audience)).sum()
}

/// The list of sessions is shared, and counted for each all the same.
pub(super) fn cost_of(message: &Message, audience: &Audience) -> u64 {
    let sessions = match audience {
        Audience::User(_, except) => except.len(),
        Audience::Many => 0,
    };
    message.payload().cost_bytes() + (sessions * size_of::<SessionId>()) as u64
}
