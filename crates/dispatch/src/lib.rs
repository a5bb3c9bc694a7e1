//! Placing a call: choose the owner by the present view, make one RPC.
//!
//! A [`Dispatcher`] is what senders, gateways and forwarding workers have in common. It never decides by anything but
//! the view of the moment, and it never calls twice: retries are the caller's. Whether the view was right is for the
//! worker that is called to say (the fence).
//!
//! [`RequestRules`] is the one place where requests are checked; every node that takes requests from outside uses it.

mod call;
mod dispatcher;
mod hops;
mod permissions;
mod pipeline;
mod presence;
mod rules;
mod serve;
mod sessions;
mod split;

pub use call::deadline_of;
pub use dispatcher::Dispatcher;
pub use hops::Hops;
pub use permissions::{permissions_from_proto, permissions_to_proto};
pub use pipeline::{Allowance, Attempts, Parcel, Pauses, carry};
pub use presence::{PRESENCE_GRACE_DEFAULT, PresenceFollower, PresenceNews, serve_presence_watch};
pub use rules::{
    CheckedClose, CheckedGroupChange, CheckedSend, EXCLUDE_SESSIONS_MAX, Keeping, LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX, MESSAGE_ID_BYTES_MAX, PRESENCE_USERS_MAX, RequestRules, SessionTarget, TOPIC_BYTES_MAX,
    WAIT_ACKNOWLEDGED_MAX, WATCHED_USERS_MAX, new_message_id, wait_acknowledged,
};
pub use serve::{AtOnce, Earlier, PublishHandler, StreamBounds, Taken, Way, serve_publish};
pub use split::SplitPublisher;
