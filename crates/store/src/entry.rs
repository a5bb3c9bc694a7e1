//! What is in a mailbox, and how it is read out.

use std::time::Duration;

use ringway_session::Payload;

use crate::clock::UnixTime;
use crate::limits::Limits;
use crate::names::Offset;

/// What each entry counts beside its payload, topic, id and sender.
pub const ENTRY_OVERHEAD_BYTES: u64 = 64;

/// A message that is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The message's id, by which it is known when it is sent again.
    pub message_id: String,
    /// What it is about; empty for none.
    pub topic: String,
    /// The user from whom it is; empty for nobody's.
    pub from: String,
    /// What the client receives.
    pub payload: Payload,
    /// For how long it is of use; as long as the mailbox keeps anything if it does not say.
    pub time_to_live: Option<Duration>,
    /// Whether it is for the device that takes it first. The store keeps that for its readers, and does nothing by it.
    pub until_first_ack: bool,
}

/// A message that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub offset: Offset,
    /// The message's id.
    pub message_id: String,
    /// What it is about; empty for none.
    pub topic: String,
    /// The user from whom it is; empty for nobody's.
    pub from: String,
    /// What the client receives.
    pub payload: Payload,
    /// When it was stored.
    pub stored_at: UnixTime,
    /// From when on it is of no use.
    pub expires_at: UnixTime,
    /// Whether it is for the device that takes it first.
    pub until_first_ack: bool,
}

/// How much of a mailbox is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageBounds {
    /// How many entries at most.
    pub entries_max: usize,
    /// How many bytes at most, as mailboxes count them. One entry is always read, however large.
    pub bytes_max: u64,
}

/// A part of a mailbox, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What is of use.
    pub entries: Vec<Entry>,
    /// What is not among them, up to `read_to`.
    pub left_out: LeftOut,
    /// The last offset that was looked at: the next page is the one after it.
    pub read_to: Offset,
    /// Whether that was the last one there is.
    pub is_last: bool,
    /// Up to here something has gone that was not withdrawn, whether anybody needed it or not: [`Mailbox::open`] tells. 0 if
    /// nothing has.
    ///
    /// [`Mailbox::open`]: crate::Mailbox::open
    pub gone_to: Offset,
}

/// How many offsets of a part of a mailbox have no entry in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Their time was over.
    pub expired: u64,
    /// Another device has taken them.
    pub withdrawn: u64,
    /// They are not there any more: needed by nobody, too many, or lost.
    pub removed: u64,
}

impl NewEntry {
    /// What it counts.
    pub fn cost_bytes(&self) -> u64 {
        cost_bytes(&[&self.message_id, &self.topic, &self.from], &self.payload)
    }

    /// The entry that it becomes.
    pub fn stored(self, offset: Offset, now: UnixTime, limits: &Limits) -> Entry {
        let longest = limits.time_to_live;
        let expires_at = now.plus(self.time_to_live.map_or(longest, |wanted| wanted.min(longest)));
        let Self { message_id, topic, from, payload, until_first_ack, .. } = self;
        Entry { offset, message_id, topic, from, payload, stored_at: now, expires_at, until_first_ack }
    }
}

impl Entry {
    /// What it counts.
    pub fn cost_bytes(&self) -> u64 {
        cost_bytes(&[&self.message_id, &self.topic, &self.from], &self.payload)
    }
}

fn cost_bytes(names: &[&str], payload: &Payload) -> u64 {
    let names_bytes: usize = names.iter().map(|name| name.len()).sum();
    (names_bytes + payload.bytes().len()) as u64 + ENTRY_OVERHEAD_BYTES
}
