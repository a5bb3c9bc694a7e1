//! The rules for requests from outside, and what a request is once it has passed them.
//!
//! Every node that takes a request checks it here before it acts or forwards; what comes out is typed, so nothing
//! behind it has to check again. A refusal says what was wrong and what would be right.

mod message;
mod presence;
mod session;

use std::time::Duration;

use ringway_proto::v1::{Message as WireMessage, SendToAllRequest, SendToGroupRequest, SendToUserRequest};
use ringway_proto::{Reason, Refusal};
use ringway_session::{GroupId, Message, Payload, SessionId, UserId};

pub(crate) use message::name_message;
pub use message::{EXCLUDE_SESSIONS_MAX, MESSAGE_ID_BYTES_MAX, TOPIC_BYTES_MAX, new_message_id};
pub use presence::{PRESENCE_USERS_MAX, WATCHED_USERS_MAX};
pub(crate) use presence::{check_watched, presence_users, watched_users};
pub use session::{CheckedClose, CheckedGroupChange, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, SessionTarget};
pub(crate) use session::{check_filter, list_limit, session_id, target};

/// The rules of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRules {
    message_bytes_max: usize,
}

/// The longest time for which a call waits for an acknowledgement.
pub const WAIT_ACKNOWLEDGED_MAX: Duration = Duration::from_secs(60);

/// For how long a send waits for an acknowledgement. Whoever passes it on gives it so much more time.
pub fn wait_acknowledged(request: &SendToUserRequest) -> Duration {
    Duration::from_millis(request.wait_acknowledged_ms).min(WAIT_ACKNOWLEDGED_MAX)
}

/// A message that has passed the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedSend {
    /// What the clients receive.
    pub payload: Payload,
    /// The message's id, never empty.
    pub message_id: String,
    /// What it is about; may be empty.
    pub topic: String,
    /// From which user it is; empty for nobody's.
    pub from_user: String,
    /// The sessions that shall not receive it.
    pub exclude: Vec<SessionId>,
    /// How it is to be kept, if it is to be stored.
    pub keeping: Option<Keeping>,
}

/// What the sender of a message that is to be stored says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// For how long it is of use; as long as anything is kept if it does not say.
    pub time_to_live: Option<Duration>,
    /// Whether it is for the device that takes it first.
    pub until_first_ack: bool,
}

impl CheckedSend {
    /// The message as sessions receive it, and the sessions that shall not.
    pub fn into_parts(self) -> (Message, Vec<SessionId>) {
        (Message::new(self.message_id, self.topic, self.payload).from_user(self.from_user), self.exclude)
    }
}

impl RequestRules {
    /// The rules of a cluster whose messages have at most `message_bytes_max` bytes.
    pub fn new(message_bytes_max: usize) -> Self {
        RequestRules { message_bytes_max }
    }

    /// The largest payload of one message.
    pub fn message_bytes_max(&self) -> usize {
        self.message_bytes_max
    }

    /// Checks a send to a user. A message without an id gets one, in the request too, so that the request can be
    /// forwarded as it is.
    ///
    /// # Errors
    /// `InvalidArgument` or `MessageTooLarge`.
    pub fn user_send(&self, request: &mut SendToUserRequest) -> Result<(UserId, CheckedSend), Refusal> {
        let (user, send) = (user(&request.user)?, self.message(&mut request.message)?);
        if request.wait_acknowledged_ms > 0 && send.keeping.is_none() {
            return Err(invalid("wait_acknowledged_ms is for messages with the guarantee at least once"));
        }
        Ok((user, send))
    }

    /// Checks a send to a group, as [`user_send`](RequestRules::user_send) does.
    ///
    /// # Errors
    /// `InvalidArgument` or `MessageTooLarge`.
    pub fn group_send(&self, request: &mut SendToGroupRequest) -> Result<(GroupId, CheckedSend), Refusal> {
        Ok((group(&request.group)?, self.message_for_many(&mut request.message)?))
    }

    /// Checks a send to all, as [`user_send`](RequestRules::user_send) does.
    ///
    /// # Errors
    /// `InvalidArgument` or `MessageTooLarge`.
    pub fn all_send(&self, request: &mut SendToAllRequest) -> Result<CheckedSend, Refusal> {
        self.message_for_many(&mut request.message)
    }

    fn message_for_many(&self, message: &mut Option<WireMessage>) -> Result<CheckedSend, Refusal> {
        let send = self.message(message)?;
        if send.keeping.is_some() {
            let message =
                "only one user's messages are stored; send to each user, or to a group or all at most once";
            return Err(invalid(message));
        }
        Ok(send)
    }
}

pub(crate) fn user(name: &str) -> Result<UserId, Refusal> {
    UserId::new(name).map_err(|error| invalid(error.to_string()))
}

pub(crate) fn group(name: &str) -> Result<GroupId, Refusal> {
    GroupId::new(name).map_err(|error| invalid(error.to_string()))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(Reason::InvalidArgument, message)
}
