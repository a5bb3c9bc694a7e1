//! What workers tell each other when the ring changes: as a new owner, whom we ask; as a former one, who asks us.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringway_ring::{MemberId, RingVersion};
use ringway_session::{HeldSession, SessionId, Target};
use rustc_hash::FxHashSet;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Hub;

/// How often somebody who waits for a ring looks whether our lease has run out instead.
const LAPSE_POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Claims {
    /// Those whom we ask, by the present ring.
    asking: HashMap<MemberId, Arc<Asking>>,
    /// Those who ask us, whatever their ring: what was named is released when it has gone.
    held: Vec<Arc<ClaimHeld>>,
}

/// What we have to say to one whom we ask: sessions that somebody waits for.
#[derive(Default)]
pub(crate) struct Asking {
    to_hasten: Mutex<Vec<SessionId>>,
    fresh: Notify,
}

/// What we have to say to one who asks us.
pub(crate) struct ClaimHeld {
    state: Mutex<Held>,
    fresh: Notify,
}

#[derive(Default)]
struct Held {
    /// Named, and not released.
    remaining: FxHashSet<SessionId>,
    released: Vec<SessionId>,
}

/// What is to be said next to one who asks us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeldNews {
    Released(Vec<SessionId>),
    Nothing,
}

impl Claims {
    pub(super) fn ring_changed(&mut self) {
        self.asking.clear();
    }

    pub(super) fn ask(&self, holder: &MemberId, session: SessionId) {
        if let Some(asking) = self.asking.get(holder) {
            asking.to_hasten.lock().push(session);
            asking.fresh.notify_one();
        }
    }

    pub(super) fn released(&mut self, session: SessionId) {
        for claim in &self.held {
            let mut state = claim.state.lock();
            if state.remaining.remove(&session) {
                state.released.push(session);
                claim.fresh.notify_one();
            }
        }
    }
}

impl Asking {
    /// The next sessions to be hastened. Cancel-safe.
    pub(crate) async fn next(&self) -> Vec<SessionId> {
        loop {
            let sessions = std::mem::take(&mut *self.to_hasten.lock());
            if !sessions.is_empty() {
                return sessions;
            }
            self.fresh.notified().await;
        }
    }
}

impl ClaimHeld {
    /// What is to be said next. Cancel-safe.
    pub(crate) async fn next(&self) -> HeldNews {
        loop {
            {
                let mut state = self.state.lock();
                if !state.released.is_empty() {
                    return HeldNews::Released(std::mem::take(&mut state.released));
                }
                if state.remaining.is_empty() {
                    return HeldNews::Nothing;
                }
            }
            self.fresh.notified().await;
        }
    }
}

impl Hub {
    /// We are about to ask a worker what it holds, by the present ring.
    pub(crate) fn begin_asking(&self, holder: &MemberId) -> Arc<Asking> {
        let asking = Arc::new(Asking::default());
        self.state.lock().claims.asking.insert(holder.clone(), Arc::clone(&asking));
        asking
    }

    /// A worker has named sessions that it holds for us, `last` when these are all. Nothing, if our ring is another one by now.
    pub(crate) fn holding(&self, holder: &MemberId, by: RingVersion, sessions: Vec<HeldSession>, last: bool) {
        self.act(|state, out| {
            if state.shard.ring_version() == by {
                state.shard.holding(holder, sessions, last, out);
            }
        });
        self.changed.send_replace(());
    }

    /// Sessions are not to be expected from a worker any more.
    pub(crate) fn released(&self, holder: &MemberId, sessions: &[SessionId]) {
        self.change(|shard, out| shard.released(holder, sessions, out));
        self.changed.send_replace(());
    }

    /// A worker cannot be asked any more, by this ring.
    pub(crate) fn lost(&self, holder: &MemberId, by: RingVersion) {
        let now = self.clock.now();
        self.act(|state, _| {
            if state.shard.ring_version() == by {
                state.shard.lost(holder, now);
            }
        });
        self.changed.send_replace(());
    }

    /// Waits until we act by this ring, or by none.
    pub(crate) async fn acts_by(&self, version: RingVersion) {
        let mut changes = self.changes();
        loop {
            {
                let state = self.state.lock();
                if state.shard.ring_version() == version || state.shard.is_lapsed(self.clock.now()) {
                    return;
                }
            }
            // An error would mean that the hub is gone.
            _ = tokio::time::timeout_at(Instant::now() + LAPSE_POLL_INTERVAL, changes.changed()).await;
        }
    }

    /// What we hold for a claimant that acts by this ring, and the way to hear more of it; nothing if our ring has changed.
    pub(crate) fn hold_for(
        &self,
        claimant: &MemberId,
        version: RingVersion,
    ) -> Option<(Vec<HeldSession>, Arc<ClaimHeld>)> {
        let mut state = self.state.lock();
        let held = if state.shard.ring_version() == version {
            state.shard.held_for(claimant)
        } else if state.shard.is_lapsed(self.clock.now()) {
            state.shard.held_at_all()
        } else {
            return None;
        };
        let remaining = held.iter().map(|session| session.id).collect();
        let claim = Arc::new(ClaimHeld {
            state: Mutex::new(Held { remaining, ..Held::default() }),
            fresh: Notify::new(),
        });
        state.claims.held.retain(|claim| Arc::strong_count(claim) > 1);
        state.claims.held.push(Arc::clone(&claim));
        Some((held, claim))
    }

    /// Somebody waits for these sessions elsewhere.
    pub(crate) fn hasten(&self, sessions: &[SessionId]) {
        self.state.lock().shard.hasten(sessions);
    }

    /// Whether the sessions that a call is about are here, as far as they exist; those that are not are asked to hurry.
    pub(crate) fn has_arrived(&self, target: &Target) -> bool {
        self.act(|state, out| match target {
            Target::Session(id) => state.shard.has_arrived(*id, out),
            Target::User(user) => state.shard.has_all_of(user, out),
        })
    }
}
