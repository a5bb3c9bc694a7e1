//! What a worker knows of a user's presence.

/// What a worker knows of a user's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The user has sessions.
    Online {
        /// How many are here, suspended ones included.
        here: u32,
        /// How many are on their way here.
        coming: u32,
        /// When the oldest of those that are here was opened: milliseconds since the Unix epoch; 0 if none is here yet.
        since_ms: u64,
    },
    /// The user has none, and nobody is about to bring one.
    Offline,
    /// The user's worker has died, and a session may still come back.
    InDoubt,
    /// The others have not said what they hold.
    Unsettled,
    /// The user belongs to another worker, or this one may act for nobody now.
    NotOurs,
}

impl Standing {
    /// Whether the user is online; nothing if this worker cannot say.
    pub fn online(self) -> Option<bool> {
        match self {
            Standing::Online { .. } => Some(true),
            Standing::Offline => Some(false),
            Standing::InDoubt | Standing::Unsettled | Standing::NotOurs => None,
        }
    }

    /// Whether it stays so until the number of sessions here changes.
    pub(crate) fn is_firm(self) -> bool {
        match self {
            Standing::Online { here, .. } => here > 0,
            Standing::Offline => true,
            Standing::InDoubt | Standing::Unsettled | Standing::NotOurs => false,
        }
    }
}
