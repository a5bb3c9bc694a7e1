//! What workers tell each other when the ring changes: as a new owner, whom we ask; as a former one, who asks us.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringway_ring::{MemberId, Ring, RingVersion};
use ringway_session::{HeldSession, SessionId, SessionState, Target};
use rustc_hash::FxHashSet;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Hub, State};

/// How often somebody who waits for a ring looks whether our lease has run out instead.
const LAPSE_POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Claims {
    /// Those whom we ask, by the present ring.
    asking: HashMap<MemberId, Arc<Asking>>,
    /// Those who ask us, whatever their ring: what was named is released when it has gone.
    held: Vec<Arc<ClaimHeld>>,
    /// The incarnation of each worker by the view that was followed last; 0 where that does not say.
    lives: HashMap<MemberId, u64>,
}

/// Who asks us what we hold.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedBy {
    pub(crate) worker: MemberId,
    /// 0 if it has none.
    pub(crate) incarnation: u64,
    /// By which ring it asks.
    pub(crate) ring: RingVersion,
}

/// What we have to say to one whom we ask: sessions that somebody waits for.
#[derive(Default)]
pub(crate) struct Asking {
    to_hasten: Mutex<Vec<SessionId>>,
    fresh: Notify,
}

/// What we have to say to one who asks us.
pub(crate) struct ClaimHeld {
    state: Mutex<Named>,
    fresh: Notify,
}

#[derive(Default)]
struct Named {
    /// Named, and not released.
    remaining: FxHashSet<SessionId>,
    released: Vec<SessionId>,
    surrendered: VecDeque<Surrendered>,
}

/// A session that a claimant waits for, from us who may not act any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Surrendered {
    pub(crate) state: SessionState,
    pub(crate) resumable_for: Duration,
}

/// What a worker holds, as it has said.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) sessions: Vec<HeldSession>,
    /// For how long it waits for sessions of workers that have died.
    pub(crate) orphans_for: Duration,
}

/// What is to be said next to one who asks us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeldNews {
    Surrendered(Box<Surrendered>),
    Released(Vec<SessionId>),
    Nothing,
}

impl Claims {
    pub(super) fn ring_changed(&mut self) {
        self.asking.clear();
    }

    /// Whether a claimant is the one that the view knows. A ring has the same version again when a worker has died and runs again: if
    /// the view is older than that, we may still learn of its death, and own its users for a while.
    fn knows(&self, claimant: &ClaimedBy) -> bool {
        let known = self.lives.get(&claimant.worker);
        // One that is not in the view is not on the ring either, and owns nothing.
        claimant.incarnation == 0 || known.is_none_or(|known| [0, claimant.incarnation].contains(known))
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
                // It goes before the news that it is not here any more.
                if let Some(surrendered) = state.surrendered.pop_front() {
                    return HeldNews::Surrendered(Box::new(surrendered));
                }
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

    /// A worker has named sessions that it holds for us. Nothing, if our ring is another one by now.
    pub(crate) fn holding(&self, holder: &MemberId, by: RingVersion, sessions: &[HeldSession]) {
        self.act(|state, out| {
            if state.shard.ring_version() == by {
                state.shard.holding(holder, sessions, out);
            }
        });
    }

    /// A worker has named all. Nothing, if our ring is another one by now.
    pub(crate) fn heard(&self, holder: &MemberId, by: RingVersion, orphans_for: Duration) {
        let now = self.clock.now();
        self.act(|state, out| {
            if state.shard.ring_version() == by {
                state.shard.heard(holder, orphans_for, now, out);
                state.presences.look_soon();
            }
        });
        self.changed.send_replace(());
    }

    /// A worker runs again that has died, which had its part of this ring.
    pub(crate) fn reborn(&self, holder: &MemberId, ring: Arc<Ring>) {
        let now = self.clock.now();
        self.act(|state, _| state.shard.reborn(holder, ring, now));
    }

    /// Sessions are not to be expected from a worker any more.
    pub(crate) fn released(&self, holder: &MemberId, sessions: &[SessionId]) {
        let now = self.clock.now();
        self.change(|shard, out| shard.released(holder, sessions, now, out));
        self.state.lock().presences.look_soon();
        self.changed.send_replace(());
    }

    /// A worker cannot be asked any more, by this ring.
    pub(crate) fn lost(&self, holder: &MemberId, by: RingVersion) {
        let now = self.clock.now();
        self.act(|state, _| {
            if state.shard.ring_version() == by {
                state.shard.lost(holder, now);
                state.presences.look_soon();
            }
        });
        self.changed.send_replace(());
    }

    /// A view is followed: these are its workers and their incarnations. To be called after its ring was adopted.
    pub(crate) fn follows(&self, lives: HashMap<MemberId, u64>) {
        self.state.lock().claims.lives = lives;
        self.changed.send_replace(());
    }

    /// Waits until a claimant can be answered: until we act by its ring and know of it, or act by none.
    pub(crate) async fn can_answer(&self, claimant: &ClaimedBy) {
        let mut changes = self.changes();
        loop {
            {
                let state = self.state.lock();
                if state.acts_like(claimant) || state.shard.is_lapsed(self.clock.now()) {
                    return;
                }
            }
            // An error would mean that the hub is gone.
            _ = tokio::time::timeout_at(Instant::now() + LAPSE_POLL_INTERVAL, changes.changed()).await;
        }
    }

    /// What we hold for a claimant, and the way to hear more of it; nothing if it [cannot be answered](Hub::can_answer).
    pub(crate) fn hold_for(&self, claimant: &ClaimedBy) -> Option<(Held, Arc<ClaimHeld>)> {
        let (mut state, now) = (self.state.lock(), self.clock.now());
        let sessions = if state.acts_like(claimant) {
            state.shard.held_for(&claimant.worker)
        } else if state.shard.is_lapsed(now) {
            state.shard.held_at_all()
        } else {
            return None;
        };
        let remaining = sessions.iter().map(|session| session.id).collect();
        let held = Held { sessions, orphans_for: state.shard.orphans_for(now) };
        let claim = Arc::new(ClaimHeld {
            state: Mutex::new(Named { remaining, ..Named::default() }),
            fresh: Notify::new(),
        });
        state.claims.held.retain(|claim| Arc::strong_count(claim) > 1);
        state.claims.held.push(Arc::clone(&claim));
        Some((held, claim))
    }

    /// A claimant waits for these sessions. Those without a gateway are surrendered to it, if we may not act any more.
    pub(crate) fn hasten(&self, claim: &ClaimHeld, sessions: &[SessionId]) {
        let now = self.clock.now();
        self.act(|state, out| {
            for id in sessions {
                if let Some((state, resumable_for)) = state.shard.surrender(*id, now, out) {
                    claim.state.lock().surrendered.push_back(Surrendered { state, resumable_for });
                    claim.fresh.notify_one();
                }
            }
            state.shard.hasten(sessions);
        });
    }

    /// Whether the sessions that a call is about are here, as far as they exist; those that are not are asked to hurry.
    pub(crate) fn has_arrived(&self, target: &Target) -> bool {
        self.act(|state, out| match target {
            Target::Session(id) => state.shard.has_arrived(*id, out),
            Target::User(user) => state.shard.has_all_of(user, out),
        })
    }
}

impl State {
    fn acts_like(&self, claimant: &ClaimedBy) -> bool {
        self.shard.ring_version() == claimant.ring && self.claims.knows(claimant)
    }
}
