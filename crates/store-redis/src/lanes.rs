//! The ways of all users.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringway_session::UserId;
use rustc_hash::FxHashMap;

use crate::lane::Lane;

/// How long a mailbox is known that nobody uses.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Lanes(Mutex<FxHashMap<UserId, Arc<Lane>>>);

impl Lanes {
    /// A user's way.
    pub(crate) fn lane(&self, user: &UserId) -> Arc<Lane> {
        let mut lanes = self.0.lock();
        let lane = lanes.entry(user.clone()).or_insert_with(|| Arc::new(Lane::new(user.clone())));
        Arc::clone(lane)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Lane>> {
        self.0.lock().values().cloned().collect()
    }

    /// Takes a way away that nobody else holds.
    pub(crate) fn close(&self, lane: &Arc<Lane>) {
        let mut lanes = self.0.lock();
        // One is in the map, one is with the caller.
        if Arc::strong_count(lane) <= 2 {
            lanes.remove(&lane.user);
        }
    }
}
