//! What is left of a session between two workers: everything that the next one needs, and nothing that it can find out.

use std::sync::Arc;

use crate::id::SessionId;
use crate::mailbox::{MailboxPlace, MailboxReader, Stored};
use crate::name::{GroupId, UserId};
use crate::payload::Payload;
use crate::permissions::Permissions;

/// A session as it travels. Without its messages it is a *checkpoint*, which the gateway keeps in case the worker dies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionState {
    /// The session's id.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// The groups, sorted.
    pub groups: Vec<GroupId>,
    /// Those of them that come from the token and go with it: when the session is resumed, the newest token decides.
    pub token_groups: Vec<GroupId>,
    /// What the client may do, by the newest token.
    pub permissions: Arc<Permissions>,
    /// The client's address and port.
    pub remote_address: Box<str>,
    /// The chosen subprotocol; empty for none.
    pub subprotocol: Box<str>,
    /// Milliseconds since the Unix epoch.
    pub opened_at_ms: u64,
    /// Grows whenever another worker begins with the session. Of two that have it, the one with the greater number is right.
    pub term: u64,
    /// The numbered stream, in a session that has one.
    pub stream: Option<StreamState>,
    /// Messages that were not sent to the client yet, in order.
    pub waiting: Vec<Numbered>,
    /// The messages to groups and to all that it was given lately, the oldest first.
    pub recent: Vec<GivenLately>,
    /// Which of the user's devices the client is; empty for none in particular.
    pub device: Box<str>,
    /// How far it has read the user's mailbox, if it has begun.
    pub mailbox: Option<MailboxReader>,
    /// What its client had of the mailbox when it was told last from where on it is served, until it has acknowledged that.
    pub mailbox_had: Option<MailboxPlace>,
    /// The users whom its client watches, sorted.
    pub watches: Vec<Watch>,
}

/// A message that a session was given lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenLately {
    /// A hash of its id.
    pub id_hash: u64,
    /// How long ago that was, in milliseconds.
    pub age_ms: u32,
}

/// A user whom a client watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The user.
    pub user: UserId,
    /// Whether the client was told last that the user is online; nothing if that is not known.
    pub told: Option<bool>,
}

impl SessionState {
    /// How large it is on its way, about.
    pub fn bytes(&self) -> u64 {
        let unacked = self.stream.iter().flat_map(|stream| &stream.unacked);
        let messages: u64 = self.waiting.iter().chain(unacked).map(|sent| sent.payload.cost_bytes()).sum();
        let groups: usize = self.groups.iter().map(|group| group.as_str().len()).sum();
        let watches: usize = self.watches.iter().map(|watch| watch.user.as_str().len()).sum();
        messages + (groups + watches) as u64 + 12 * self.recent.len() as u64
    }

    /// The state with which the next worker begins. One that begins with a checkpoint has lost what the last one knew, and may
    /// give other messages the same offsets: whatever that one's copy of the session goes through, it is outdated.
    pub(crate) fn in_next_term(self, is_complete: bool) -> Self {
        let term = if is_complete { self.term + 1 } else { (self.term | u64::from(u32::MAX)) + 1 };
        SessionState { term, ..self }
    }

    /// The state without the first of its messages, if it does not number them: the client was passed so many by a worker that had
    /// begun with it. In a numbered stream the offsets say that.
    pub(crate) fn without_passed(mut self, messages: u64) -> Self {
        if self.stream.is_none() {
            let passed = usize::try_from(messages).unwrap_or(usize::MAX).min(self.waiting.len());
            self.waiting.drain(..passed);
        }
        self
    }
}

/// A numbered stream as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Another number whenever offsets begin anew.
    pub epoch: u64,
    /// The offset of the newest message; 0 for none.
    pub last: u64,
    /// Every message up to this offset is acknowledged or lost.
    pub floor: u64,
    /// Sent and not acknowledged, in order.
    pub unacked: Vec<Numbered>,
    /// The number of the attempt with which its client resumed it last; 0 for none.
    pub attempt: u64,
}

/// One message in a session's own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its offset; 0 in a session that does not number.
    pub offset: u64,
    /// The whole message, or the tail of a numbered frame.
    pub payload: Payload,
    /// Where it is stored, if it is.
    pub stored: Option<Stored>,
}
