//! One session, as its worker keeps it and as it is shown to others.

use crate::directive::{Address, LinkId};
use crate::id::SessionId;
use crate::name::{GroupId, UserId};
use crate::queue::OutboundQueue;

/// What a gateway says of a client that wants a session.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The session's id.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// The groups that the token names.
    pub groups: Vec<GroupId>,
    /// Where the client's socket is.
    pub address: Address,
    /// The client's address and port.
    pub remote_address: Box<str>,
    /// The chosen subprotocol; empty for none.
    pub subprotocol: Box<str>,
    /// Milliseconds since the Unix epoch.
    pub opened_at_ms: u64,
}

/// A session as it is shown: a copy of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// The session's id.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// The groups, sorted.
    pub groups: Vec<GroupId>,
    /// The link on which its socket is.
    pub link: LinkId,
    /// The client's address and port.
    pub remote_address: Box<str>,
    /// The chosen subprotocol; empty for none.
    pub subprotocol: Box<str>,
    /// Milliseconds since the Unix epoch.
    pub opened_at_ms: u64,
    /// Bytes that wait for the client or are on their way to it.
    pub queue_bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) groups: Vec<GroupId>,
    pub(crate) address: Address,
    pub(crate) queue: OutboundQueue,
    /// Whether it stands in its link's line of sessions that wait for room.
    pub(crate) parked: bool,
    /// Which in the order of opening.
    pub(crate) sequence: u64,
    remote_address: Box<str>,
    subprotocol: Box<str>,
    opened_at_ms: u64,
}

impl Session {
    pub(crate) fn new(opening: Opening, sequence: u64) -> Self {
        Session {
            id: opening.id,
            user: opening.user,
            groups: Vec::new(),
            address: opening.address,
            queue: OutboundQueue::default(),
            parked: false,
            sequence,
            remote_address: opening.remote_address,
            subprotocol: opening.subprotocol,
            opened_at_ms: opening.opened_at_ms,
        }
    }

    pub(crate) fn view(&self) -> SessionView {
        SessionView {
            id: self.id,
            user: self.user.clone(),
            groups: self.groups.clone(),
            link: self.address.link,
            remote_address: self.remote_address.clone(),
            subprotocol: self.subprotocol.clone(),
            opened_at_ms: self.opened_at_ms,
            queue_bytes: self.queue.bytes(),
        }
    }
}
