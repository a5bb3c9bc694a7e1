//! The bounds of a session table, and what happens at each of them.

/// What happens when a user opens one session more than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The new session is refused.
    Refuse,
    /// The oldest sessions are closed with [`REPLACED`](crate::CloseCode::REPLACED) until the new one fits.
    ReplaceOldest,
}

/// What happens when a session's outbound queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSlowConsumer {
    /// The session is closed with [`TRY_AGAIN_LATER`](crate::CloseCode::TRY_AGAIN_LATER).
    Close,
    /// Its oldest waiting messages are dropped until the new one fits.
    DropOldest,
}

/// The bounds of a session table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many sessions the table holds; beyond it a new one is refused.
    pub sessions_max: usize,
    /// How many sessions one user may have, and what happens beyond; none means as many as the table holds.
    pub per_user: Option<(usize, OnConflict)>,
    /// How many groups one session may be a member of; beyond it a join is refused.
    pub groups_per_session_max: usize,
    /// How many bytes may wait for one session, those on their way to the gateway included.
    pub queue_bytes_max: u64,
    /// How many bytes may be on their way to the gateway without its report that they were written.
    pub window_bytes: u64,
    /// How many bytes may be on their way to one link before its stream has taken them; beyond it messages wait with
    /// their sessions.
    pub link_bytes_max: u64,
    /// What happens beyond `queue_bytes_max`.
    pub on_slow_consumer: OnSlowConsumer,
}

impl Default for Policy {
    /// A million sessions, no bound per user, 64 groups, 4 MiB queues, 256 KiB windows, 4 MiB on the way to a link, slow
    /// consumers closed.
    fn default() -> Self {
        Policy {
            sessions_max: 1_000_000,
            per_user: None,
            groups_per_session_max: 64,
            queue_bytes_max: 4 << 20,
            window_bytes: 256 << 10,
            link_bytes_max: 4 << 20,
            on_slow_consumer: OnSlowConsumer::Close,
        }
    }
}
