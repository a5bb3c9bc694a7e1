//! The outside edge of presence: who is online, written where other programs read it.
//!
//! ringway itself never reads this: the owner of a user knows. A worker announces its users when they change, and all of
//! them again before [`PresenceExport::time_to_live`] is over, so that what nobody announces any more goes by itself.
//! What all implementations promise, and the shared suite in `tests/presence_suite` holds:
//!
//! - A user who was announced is online with that worker and that number of sessions, until announced otherwise or until the
//!   time is over. With 0 sessions he is not.
//! - A worker takes away only what is its own: when a user moves, the former worker's last word does not matter.
//! - One life of a worker can be removed with all its users, by itself at its end or by anybody after its death. Another life
//!   of the same worker is not touched.

mod memory;

use std::time::Duration;

use async_trait::async_trait;
use ringway_ring::MemberId;
use ringway_session::UserId;

use crate::error::StoreError;

pub use memory::MemoryPresence;

/// One life of a worker, from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerLife {
    /// The worker.
    pub worker: MemberId,
    /// Which life: as the registry has it.
    pub incarnation: u64,
}

/// How many sessions a user has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The user.
    pub user: UserId,
    /// How many; with 0 he is offline.
    pub sessions: u32,
}

/// A user who is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Online {
    /// Where.
    pub at: WorkerLife,
    /// With how many sessions.
    pub sessions: u32,
}

/// Where it is written who is online.
#[async_trait]
pub trait PresenceExport: Send + Sync + 'static {
    /// After which time what is not announced again is gone.
    fn time_to_live(&self) -> Duration;

    /// This many sessions these users have at this worker. The same again keeps it from expiring.
    ///
    /// # Errors
    /// What the store says. Then some may have been written; announce them again.
    async fn announce(&self, at: &WorkerLife, users: &[Presence]) -> Result<(), StoreError>;

    /// Takes away all that this life of a worker has announced; says how many users that were.
    ///
    /// # Errors
    /// What the store says. Then some may be left; remove it again.
    async fn remove(&self, life: &WorkerLife) -> Result<u64, StoreError>;

    /// Who of these is online, in this order.
    ///
    /// # Errors
    /// What the store says.
    async fn online(&self, users: &[UserId]) -> Result<Vec<Option<Online>>, StoreError>;
}
