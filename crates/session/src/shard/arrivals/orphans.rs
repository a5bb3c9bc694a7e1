//! Users whose worker died without saying what it held. Their gateways open the sessions again, soon: until then messages for
//! them are kept, each for whichever session of its user appears first.

use std::sync::Arc;

use ringway_ring::{MemberId, Ring, Slot};
use rustc_hash::FxHashMap;

use super::kept::Kept;
use crate::directive::Ticket;
use crate::id::SessionId;
use crate::moment::Moment;
use crate::name::UserId;

#[derive(Debug, Default)]
pub(super) struct Orphans {
    homes: Vec<Orphanage>,
    /// The same for longer: until then nobody says of them that they are offline.
    doubts: Vec<Orphanage>,
    /// By the hash of the user.
    kept: FxHashMap<u64, Vec<Kept>>,
}

/// Users who may be orphans.
#[derive(Clone, Debug)]
struct Orphanage {
    users: Users,
    until: Moment,
}

#[derive(Clone, Debug)]
enum Users {
    /// Those whom a worker owned by this ring.
    OwnedBy(Arc<Ring>, MemberId),
    /// Those whom a worker did not own by this ring, as it does now.
    NotOwnedBy(Arc<Ring>, MemberId),
}

/// Until when users may be orphans.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    /// Until then messages are kept for them.
    pub(super) kept: Moment,
    /// Until then nobody says of them that they are offline.
    pub(super) doubted: Moment,
}

impl Orphanage {
    fn has(&self, slot: Slot) -> bool {
        match &self.users {
            Users::OwnedBy(ring, holder) => ring.owner_of_slot(slot) == Some(holder),
            Users::NotOwnedBy(ring, holder) => ring.owner_of_slot(slot) != Some(holder),
        }
    }
}

impl Orphans {
    /// A worker has died: its users by this ring may be orphans until then.
    pub(super) fn add(&mut self, ring: Arc<Ring>, holder: MemberId, until: Until) {
        self.add_users(Users::OwnedBy(ring, holder), until);
    }

    /// Some worker has died. Whom we own, and did not by this ring, may be an orphan until then.
    pub(super) fn add_gained(&mut self, ring: &Arc<Ring>, me: &MemberId, until: Until) {
        let users = || Users::NotOwnedBy(Arc::clone(ring), me.clone());
        prolong(&mut self.homes, ring, until.kept, users);
        prolong(&mut self.doubts, ring, until.doubted, users);
    }

    /// Whether a user may still come back, and nobody may say until then that the user is offline.
    pub(super) fn doubts(&self, user_hash: u64, now: Moment) -> bool {
        let slot = Slot::of_hash(user_hash);
        self.doubts.iter().any(|home| now < home.until && home.has(slot))
    }

    fn add_users(&mut self, users: Users, until: Until) {
        self.doubts.push(Orphanage { users: users.clone(), until: until.doubted });
        self.homes.push(Orphanage { users, until: until.kept });
    }

    /// Until when there are any.
    pub(super) fn until(&self) -> Option<Moment> {
        self.homes.iter().map(|home| home.until).max()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.homes.is_empty()
    }

    pub(super) fn has(&self, user_hash: u64, now: Moment) -> bool {
        let slot = Slot::of_hash(user_hash);
        self.homes.iter().any(|home| now < home.until && home.has(slot))
    }

    /// Whether a session of a user may still come.
    pub(super) fn may_have(&self, user_hash: u64) -> bool {
        self.may_be_of(Slot::of_hash(user_hash))
    }

    /// The same of some user of a slot.
    pub(super) fn may_be_of(&self, slot: Slot) -> bool {
        self.homes.iter().any(|home| home.has(slot))
    }

    pub(super) fn keep(&mut self, user_hash: u64, kept: Kept) {
        self.kept.entry(user_hash).or_default().push(kept);
    }

    /// A session of a user has appeared: what was kept for the user.
    pub(super) fn take(&mut self, user_hash: u64, user: &UserId, session: SessionId) -> Vec<Kept> {
        let Some(kept) = self.kept.get_mut(&user_hash) else { return Vec::new() };
        let theirs = kept.extract_if(.., |kept| kept.is_for(user, session)).collect();
        if kept.is_empty() {
            self.kept.remove(&user_hash);
        }
        theirs
    }

    pub(super) fn withdraw(&mut self, user_hash: u64, ticket: Ticket) -> Vec<Kept> {
        let Some(kept) = self.kept.get_mut(&user_hash) else { return Vec::new() };
        let withdrawn = kept.extract_if(.., |kept| kept.ticket == ticket).collect();
        if kept.is_empty() {
            self.kept.remove(&user_hash);
        }
        withdrawn
    }

    /// The same for what was kept for a session that did not come.
    pub(super) fn withdraw_of_session(&mut self, ticket: Ticket) -> Vec<Kept> {
        let withdrawn =
            self.kept.values_mut().flat_map(|kept| kept.extract_if(.., |kept| kept.ticket == ticket));
        let withdrawn = withdrawn.collect();
        self.kept.retain(|_, kept| !kept.is_empty());
        withdrawn
    }

    /// What was kept for users of other workers.
    pub(super) fn leave(&mut self, is_ours: impl Fn(Slot) -> bool) -> Vec<Kept> {
        let gone = self.kept.extract_if(|hash, _| !is_ours(Slot::of_hash(*hash)));
        gone.flat_map(|(_, kept)| kept).collect()
    }

    /// What was kept in vain: nobody has come in time.
    pub(super) fn expire(&mut self, now: Moment) -> Vec<Kept> {
        self.homes.retain(|home| now < home.until);
        self.doubts.retain(|home| now < home.until);
        if !self.homes.is_empty() {
            return Vec::new();
        }
        self.kept.drain().flat_map(|(_, kept)| kept).collect()
    }
}

/// Those whom we did not own by a ring are waited for until then, at least.
fn prolong(homes: &mut Vec<Orphanage>, ring: &Arc<Ring>, until: Moment, users: impl Fn() -> Users) {
    let is_known = |users: &Users| matches!(users, Users::NotOwnedBy(known, _) if Arc::ptr_eq(known, ring));
    match homes.iter_mut().find(|home| is_known(&home.users)) {
        Some(home) => home.until = home.until.max(until),
        None => homes.push(Orphanage { users: users(), until }),
    }
}
