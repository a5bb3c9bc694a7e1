//! What is told of a session when it has ended. One that goes on elsewhere has not ended.

use crate::close::CloseCode;
use crate::id::SessionId;
use crate::name::{GroupId, UserId};
use crate::session::Session;
use crate::state::SessionState;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its client's socket is gone.
    ClientLeft,
    /// It was closed here.
    Closed(CloseCode),
    /// Neither its client nor its gateway came back in time.
    Expired,
}

/// A session that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedSession {
    /// The session's id.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// The groups, sorted.
    pub groups: Vec<GroupId>,
    /// The client's address and port.
    pub remote_address: Box<str>,
    /// When it was opened: milliseconds since the Unix epoch.
    pub opened_at_ms: u64,
    /// How it ended.
    pub end: End,
}

impl EndedSession {
    pub(crate) fn new(session: &Session, end: End) -> Self {
        EndedSession {
            id: session.id,
            user: session.user.clone(),
            groups: session.groups.clone(),
            remote_address: session.remote_address().into(),
            opened_at_ms: session.opened_at_ms(),
            end,
        }
    }

    /// The same of a session that ended on its way to another worker.
    pub(crate) fn on_the_way(state: &SessionState) -> Self {
        EndedSession {
            id: state.id,
            user: state.user.clone(),
            groups: state.groups.clone(),
            remote_address: state.remote_address.clone(),
            opened_at_ms: state.opened_at_ms,
            end: End::ClientLeft,
        }
    }
}
