//! Sessions that belong to other workers by now: who goes next, who is told, and who is on the way.
//!
//! `due -> told -> in transit -> arrived -> forgotten`. A session that is due or told is still here and takes messages. One in
//! transit is not, and what goes to many is sent on to its new owner: also for a while after it has arrived, since a message may
//! have come to the new owner before the session did, and come here after it was gone.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::directive::Address;
use crate::id::SessionId;
use crate::moment::Moment;
use crate::name::GroupId;

/// A session that has left and was not heard of since.
#[derive(Debug)]
pub(super) struct Transit {
    pub(super) user_hash: u64,
    pub(super) groups: Vec<GroupId>,
    /// Where it was, as its gateway calls it; none if it went without one.
    pub(super) address: Option<Address>,
    pub(super) has_arrived: bool,
    /// From when on nothing is to be heard of it any more, and nothing is sent after it.
    pub(super) until: Moment,
}

/// Who leaves.
#[derive(Debug, Default)]
pub(super) struct Departures {
    due: VecDeque<SessionId>,
    told: FxHashSet<SessionId>,
    left: FxHashMap<SessionId, Transit>,
    /// How many of those have not arrived, as far as is known.
    in_transit: usize,
    /// How many of those are members of a group.
    groups: FxHashMap<GroupId, usize>,
    by_address: FxHashMap<Address, SessionId>,
}

impl Departures {
    /// These are the sessions here that belong elsewhere, by a new ring.
    pub(super) fn ring_changed(&mut self, foreign: Vec<SessionId>) {
        let told = std::mem::take(&mut self.told);
        self.due.clear();
        for id in foreign {
            if told.contains(&id) {
                self.told.insert(id);
            } else {
                self.due.push_back(id);
            }
        }
    }

    /// A session that belongs elsewhere can go another way, or at last.
    pub(super) fn due_again(&mut self, id: SessionId) {
        self.told.remove(&id);
        self.due.push_back(id);
    }

    /// A session goes before the others, if it has not been told.
    pub(super) fn hasten(&mut self, id: SessionId) {
        if !self.told.contains(&id) {
            self.due.push_front(id);
        }
    }

    /// Who goes next, while no more than `under_way_max` are on the way.
    pub(super) fn next(&mut self, under_way_max: usize) -> Option<SessionId> {
        if self.told.len() + self.in_transit >= under_way_max {
            return None;
        }
        loop {
            let id = self.due.pop_front()?;
            // One that was hastened stands in line twice.
            if !self.told.contains(&id) {
                return Some(id);
            }
        }
    }

    /// Its gateway was told.
    pub(super) fn told(&mut self, id: SessionId) {
        self.told.insert(id);
    }

    /// Forgets those that have ended since they were told, in whatever way.
    pub(super) fn keep_told(&mut self, is_here: impl Fn(SessionId) -> bool) {
        self.told.retain(|id| is_here(*id));
    }

    /// It has left, or ended.
    pub(super) fn forget(&mut self, id: SessionId) {
        self.told.remove(&id);
    }

    /// It has left.
    pub(super) fn left(&mut self, id: SessionId, transit: Transit) {
        self.told.remove(&id);
        if let Some(address) = transit.address {
            self.by_address.insert(address, id);
        }
        for group in &transit.groups {
            *self.groups.entry(group.clone()).or_default() += 1;
        }
        self.in_transit += usize::from(!transit.has_arrived);
        if let Some(former) = self.left.insert(id, transit) {
            self.in_transit -= usize::from(!former.has_arrived);
            self.forget_groups(&former);
        }
    }

    /// A session has arrived elsewhere. Gives back whether that was not known.
    pub(super) fn arrived(&mut self, id: SessionId) -> bool {
        let Some(transit) = self.left.get_mut(&id) else { return false };
        if let Some(address) = transit.address.take() {
            self.by_address.remove(&address);
        }
        let is_news = !std::mem::replace(&mut transit.has_arrived, true);
        self.in_transit -= usize::from(is_news);
        is_news
    }

    /// Nothing more is to be done for a session in transit.
    pub(super) fn finish(&mut self, id: SessionId) -> Option<Transit> {
        let transit = self.left.remove(&id)?;
        self.in_transit -= usize::from(!transit.has_arrived);
        self.forget_groups(&transit);
        if let Some(address) = transit.address {
            self.by_address.remove(&address);
        }
        Some(transit)
    }

    /// The session that left from this address.
    pub(super) fn at(&self, address: Address) -> Option<SessionId> {
        self.by_address.get(&address).copied()
    }

    /// How many sessions are in transit. Asked at every step of every move, and so counted rather than looked through.
    pub(super) fn in_transit_count(&self) -> usize {
        debug_assert_eq!(self.in_transit, self.in_transit().count());
        self.in_transit
    }

    /// The sessions in transit.
    pub(super) fn in_transit(&self) -> impl Iterator<Item = (SessionId, &Transit)> {
        self.followed().filter(|(_, transit)| !transit.has_arrived)
    }

    /// The sessions that have left and are followed: those in transit, and those that have arrived lately.
    pub(super) fn followed(&self) -> impl Iterator<Item = (SessionId, &Transit)> {
        self.left.iter().map(|(id, transit)| (*id, transit))
    }

    /// Whether a session has left and is followed.
    pub(super) fn follows(&self, id: SessionId) -> bool {
        self.left.contains_key(&id)
    }

    /// Whether one that is followed is a member of a group.
    pub(super) fn follows_one_of(&self, group: &GroupId) -> bool {
        self.groups.contains_key(group)
    }

    /// Those of which nothing was heard for too long. Those that arrived long ago are forgotten.
    pub(super) fn late(&mut self, now: Moment) -> Vec<SessionId> {
        let is_past = |_: &SessionId, transit: &mut Transit| transit.has_arrived && transit.until <= now;
        let past: Vec<Transit> = self.left.extract_if(is_past).map(|(_, transit)| transit).collect();
        past.iter().for_each(|transit| self.forget_groups(transit));
        let late = self.in_transit().filter(|(_, transit)| transit.until <= now);
        late.map(|(id, _)| id).collect()
    }

    /// Those whose gateways were told.
    pub(super) fn all_told(&self) -> impl Iterator<Item = SessionId> {
        self.told.iter().copied()
    }

    /// Whether anybody was told and has not left.
    pub(super) fn is_under_way(&self) -> bool {
        !self.told.is_empty()
    }

    /// Whether anything waits to go.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    fn forget_groups(&mut self, transit: &Transit) {
        for group in &transit.groups {
            if let Some(count) = self.groups.get_mut(group) {
                *count -= 1;
                if *count == 0 {
                    self.groups.remove(group);
                }
            }
        }
    }
}
