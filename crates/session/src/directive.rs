//! What a worker's pure state wants done: the only way in which it reaches the outside.

use std::time::Duration;

use ringway_ring::MemberId;

use crate::close::CloseCode;
use crate::ended::EndedSession;
use crate::id::SessionId;
use crate::mailbox::{MailboxPlace, Taken};
use crate::name::{GroupId, UserId};
use crate::payload::Payload;
use crate::state::SessionState;

/// One link of a gateway, as the worker numbers them. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// The number of a session on its link. Never used again on the same link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(pub u64);

/// Where a session's socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The link.
    pub link: LinkId,
    /// The number on it.
    pub channel: Channel,
}

/// A message that waits for a session which is to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// Never used again.
    pub(crate) number: u64,
    pub(crate) whose: Whose,
}

/// For whom a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Whose {
    /// For this session.
    Session(SessionId),
    /// For whichever session of its user appears: the user's hash.
    Orphan(u64),
}

impl Ticket {
    /// The session for which the message waits; none if it is for whichever session of its user appears.
    pub fn session(&self) -> Option<SessionId> {
        match self.whose {
            Whose::Session(id) => Some(id),
            Whose::Orphan(_) => None,
        }
    }
}

/// How the wait for a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived and was given the message.
    Taken,
    /// It arrived and had it already, from the worker that it came from.
    Had,
    /// It arrived, without a client at present: the message waits with it.
    Suspended,
    /// It arrived and could not take it: its queue was full.
    Overflowed,
    /// It ended on the way.
    Ended,
    /// It goes to another worker by now.
    Elsewhere,
}

/// A session that is to read its user's mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxWish {
    /// The session.
    pub session: SessionId,
    /// Its user.
    pub user: UserId,
    /// Which of the user's devices it is; empty for none in particular.
    pub device: Box<str>,
    /// What the client has, if anybody says so.
    pub has: Option<MailboxPlace>,
    /// Whether it has read before, up to there: what other sessions of its device have acknowledged since does not concern it.
    pub goes_on: bool,
}

/// One thing to do. Directives of one link are carried out in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Send a message to sessions of one link.
    Deliver {
        /// The link.
        link: LinkId,
        /// The sessions' numbers on it.
        channels: Vec<u64>,
        /// For sessions that number their messages: the offset of each, and the payload is the tail of a frame. Otherwise none.
        offsets: Vec<u64>,
        /// The message.
        payload: Payload,
    },
    /// Close a session's socket; the table has forgotten the session.
    Close {
        /// Where it is.
        address: Address,
        /// The close code.
        code: CloseCode,
        /// The close reason, at most 123 bytes.
        reason: String,
    },
    /// Tell a gateway that these sessions belong elsewhere; it answers with [`Shard::detach`](crate::Shard::detach) for each.
    Move {
        /// The link.
        link: LinkId,
        /// The sessions' numbers on it.
        channels: Vec<u64>,
    },
    /// The last of a session here: its state, for the gateway to bring it to the next worker.
    Detached {
        /// Where it was.
        address: Address,
        /// What is left of it.
        state: Box<SessionState>,
    },
    /// What a gateway shall keep of a session has changed.
    Checkpoint {
        /// Where the session is.
        address: Address,
        /// What is left of it if this worker dies.
        state: Box<SessionState>,
    },
    /// Bring a session that has no gateway to its owner, and say how it went with
    /// [`Shard::handed_over`](crate::Shard::handed_over) or [`Shard::hand_over_failed`](crate::Shard::hand_over_failed).
    HandOver {
        /// The owner.
        to: MemberId,
        /// What is left of it.
        state: Box<SessionState>,
        /// For how long it may still be resumed.
        resumable_for: Duration,
    },
    /// Ask a worker to send a session that somebody waits for before the others.
    Hasten {
        /// Who holds it.
        holder: MemberId,
        /// The session.
        session: SessionId,
    },
    /// A session that belongs elsewhere is here no more: tell its owner that it is not to be expected from here.
    Released {
        /// The session.
        session: SessionId,
    },
    /// What became of a message that waited for a session.
    Settled {
        /// The message's number.
        ticket: Ticket,
        /// How it ended.
        fate: Fate,
    },
    /// A session has ended without its gateway's doing: nobody resumed it in time.
    Expired {
        /// The session.
        session: SessionId,
    },
    /// Find out what is in the mailbox of a session's user, and say so with
    /// [`Shard::mailbox_opened`](crate::Shard::mailbox_opened), in turn with what is stored for the user.
    OpenMailbox(MailboxWish),
    /// Read what stands in the user's mailbox behind a place, for [`Shard::mailbox_read`](crate::Shard::mailbox_read).
    ReadMailbox {
        /// For whom.
        session: SessionId,
        /// Whose mailbox.
        user: UserId,
        /// Behind this.
        after: MailboxPlace,
        /// How much there is room for; a single message may be larger.
        bytes_max: u64,
    },
    /// A client has taken something that is stored.
    Taken {
        /// Whose mailbox.
        user: UserId,
        /// Which device; empty for none in particular.
        device: Box<str>,
        /// What it has.
        taken: Taken,
    },
    /// The number of a user's sessions here has changed.
    SessionsChanged(UserId),
    /// A user has its first watcher here.
    WatchBegan(UserId),
    /// A user has lost its last watcher here.
    WatchEnded(UserId),
    /// A session has ended for good, in whatever way: for those who follow events. Only if the policy
    /// [says so](crate::Policy::tell_ends).
    Ended(Box<EndedSession>),
    /// A group has its first member here.
    GroupAppeared(GroupId),
    /// A group has lost its last member here. Its messages may still have to [come](crate::Shard::lingers).
    GroupVanished(GroupId),
}
