//! What a session table wants done: the only way in which its state reaches the outside.

use crate::close::CloseCode;
use crate::name::GroupId;
use crate::payload::Payload;

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

/// One thing to do. Directives of one link are carried out in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Send a message to sessions of one link.
    Deliver {
        /// The link.
        link: LinkId,
        /// The sessions' numbers on it.
        channels: Vec<u64>,
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
    /// A group has its first member here.
    GroupAppeared(GroupId),
    /// A group has lost its last member here.
    GroupVanished(GroupId),
}
