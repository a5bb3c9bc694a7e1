//! Who is online, in the memory of one process: for tests.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use ringway_session::UserId;
use rustc_hash::FxHashMap;

use super::{Online, Presence, PresenceExport, WorkerLife};
use crate::clock::{Clock, UnixTime};
use crate::error::StoreError;

/// Who is online. Clones are the same.
#[derive(Clone)]
pub struct MemoryPresence(Arc<Inner>);

struct Inner {
    time_to_live: Duration,
    clock: Clock,
    users: Mutex<FxHashMap<UserId, (Online, UnixTime)>>,
}

impl MemoryPresence {
    /// Nobody is online, and whoever is announced is so for that long.
    pub fn new(time_to_live: Duration, clock: Clock) -> Self {
        Self(Arc::new(Inner { time_to_live, clock, users: Mutex::default() }))
    }
}

#[async_trait]
impl PresenceExport for MemoryPresence {
    fn time_to_live(&self) -> Duration {
        self.0.time_to_live
    }

    async fn announce(&self, at: &WorkerLife, announced: &[Presence]) -> Result<(), StoreError> {
        let expires_at = self.0.clock.now().plus(self.0.time_to_live);
        let mut users = self.0.users.lock();
        for Presence { user, sessions } in announced {
            if *sessions > 0 {
                let online = Online { at: at.clone(), sessions: *sessions };
                users.insert(user.clone(), (online, expires_at));
            } else if users.get(user).is_some_and(|(online, _)| online.at == *at) {
                users.remove(user);
            }
        }
        Ok(())
    }

    async fn remove(&self, life: &WorkerLife) -> Result<u64, StoreError> {
        let mut users = self.0.users.lock();
        let before = users.len();
        users.retain(|_, (online, _)| online.at != *life);
        Ok((before - users.len()) as u64)
    }

    async fn online(&self, asked: &[UserId]) -> Result<Vec<Option<Online>>, StoreError> {
        let now = self.0.clock.now();
        let mut users = self.0.users.lock();
        users.retain(|_, (_, expires_at)| *expires_at > now);
        Ok(asked.iter().map(|user| users.get(user).map(|(online, _)| online.clone())).collect())
    }
}
