//! The bounds of a worker's state, and what happens at each of them.

use std::time::Duration;

use crate::conduct::ConductPolicy;

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
    /// How many users one session may watch; beyond it a watch is refused.
    pub watches_per_session_max: usize,
    /// How many bytes may wait for one session, those on their way to the gateway included.
    pub queue_bytes_max: u64,
    /// How many bytes may be on their way to the gateway without its report that they were written.
    pub window_bytes: u64,
    /// How many bytes may be on their way to one link before its stream has taken them; beyond it messages wait with
    /// their sessions.
    pub link_bytes_max: u64,
    /// What happens beyond `queue_bytes_max`.
    pub on_slow_consumer: OnSlowConsumer,
    /// Whether there are mailboxes to be read.
    pub mailboxes: bool,
    /// The bounds of clients' conduct.
    pub conduct: ConductPolicy,
    /// Whether the end of each session is directed ([`Directive::Ended`](crate::Directive::Ended)).
    pub tell_ends: bool,
}

impl Policy {
    /// How large a session's state may be at the most on its way to another worker, where `message_bytes_max` is the largest
    /// payload of one message: what may wait for it, twice over for encodings, and its names.
    pub fn state_bytes_max(&self, message_bytes_max: usize) -> usize {
        let queue = usize::try_from(self.queue_bytes_max).unwrap_or(usize::MAX);
        queue.max(message_bytes_max).saturating_mul(2).saturating_add(1 << 20)
    }
}

impl Default for Policy {
    /// A million sessions, no bound per user, 64 groups, 1,000 watches, 4 MiB queues, 256 KiB windows, 4 MiB on the way to a
    /// link, slow consumers closed, no mailboxes, and conduct as [`ConductPolicy`] has it.
    fn default() -> Self {
        Policy {
            sessions_max: 1_000_000,
            per_user: None,
            groups_per_session_max: 64,
            watches_per_session_max: 1_000,
            queue_bytes_max: 4 << 20,
            window_bytes: 256 << 10,
            link_bytes_max: 4 << 20,
            on_slow_consumer: OnSlowConsumer::Close,
            mailboxes: false,
            conduct: ConductPolicy::default(),
            tell_ends: false,
        }
    }
}

/// The bounds of sessions that change their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovePolicy {
    /// For how long a session whose client's socket broke can be resumed.
    pub resume_window: Duration,
    /// For how long a session whose gateway's link broke can be opened again by the gateway.
    pub reopen_window: Duration,
    /// For how long a session is remembered that was detached and of which nothing was heard since. Longer than its gateway looks
    /// for a place for it: otherwise its user is taken for absent while the session is on its way.
    pub transit_max: Duration,
    /// For how long what goes to many is sent after a session that has arrived elsewhere. For twice as long it is remembered who
    /// was given it.
    pub follow_window: Duration,
    /// For how long messages for a session are kept whose former worker cannot be asked any more.
    pub orphan_window: Duration,
    /// How many bytes of messages are kept for all sessions that are to arrive; beyond it a message is not kept, and counts as
    /// one that the session had no room for.
    pub kept_bytes_max: u64,
    /// Within what time clients are asked to acknowledge.
    pub ack_within: Duration,
    /// How many sessions of one link are on their way to other workers at once, and how many without a gateway; beyond it,
    /// the others of that link wait.
    pub moves_under_way_max: usize,
    /// What protects sessions on their way.
    pub protections: Protections,
}

impl Default for MovePolicy {
    /// 30 s to resume, 10 s to be opened again, 40 s on the way, 10 s to be followed, 5 s for orphans, 256 MiB kept,
    /// acknowledgements within 1 s, 256 of each link at once, all protections.
    fn default() -> Self {
        MovePolicy {
            resume_window: Duration::from_secs(30),
            reopen_window: Duration::from_secs(10),
            transit_max: Duration::from_secs(40),
            follow_window: Duration::from_secs(10),
            orphan_window: Duration::from_secs(5),
            kept_bytes_max: 256 << 20,
            ack_within: Duration::from_secs(1),
            moves_under_way_max: 256,
            protections: Protections::default(),
        }
    }
}

/// What protects sessions on their way. Nobody takes one off but the simulation, which shows what each is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Protections {
    /// A worker acts only for users that it owns, and only when all others have said what they hold of them.
    pub fence: bool,
    /// Messages for sessions that are to arrive are kept for them.
    pub keeping: bool,
    /// A session's state carries the messages that were not sent yet.
    pub flush: bool,
    /// A session between two workers takes what goes to many only once.
    pub once: bool,
    /// What goes to many is sent after a session also when it has arrived.
    pub follow: bool,
    /// An outdated copy of a session gives way to the session.
    pub terms: bool,
    /// Messages for users whose worker has died wait for their sessions.
    pub orphans: bool,
    /// Also where only another worker knows that one has died.
    pub hearsay: bool,
}

impl Protections {
    /// All of them.
    pub const ALL: Self = Self {
        fence: true,
        keeping: true,
        flush: true,
        once: true,
        follow: true,
        terms: true,
        orphans: true,
        hearsay: true,
    };
}

impl Default for Protections {
    fn default() -> Self {
        Self::ALL
    }
}
