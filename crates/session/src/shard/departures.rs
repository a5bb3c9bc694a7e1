//! Sessions that belong to other workers by now: who goes next, who is told, and who is on the way.
//!
//! `due -> told -> in transit -> arrived -> forgotten`. A session that is due or told is still here and takes messages. One in
//! transit is not, and what goes to many is sent on to its new owner: also for a while after it has arrived, since a message may
//! have come to the new owner before the session did, and come here after it was gone.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::directive::{Address, LinkId};
use crate::ended::EndedSession;
use crate::id::SessionId;
use crate::moment::Moment;
use crate::name::GroupId;

/// A session that has left and was not heard of since.
#[derive(Debug)]
pub(super) struct Transit {
    pub(super) user_hash: u64,
    pub(super) term: u64,
    pub(super) groups: Vec<GroupId>,
    /// Where it was, as its gateway calls it; none if it went without one.
    pub(super) address: Option<Address>,
    pub(super) has_arrived: bool,
    /// What is told of it if its client leaves meanwhile; none if nobody is told.
    pub(super) ended: Option<Box<EndedSession>>,
    /// From when on nothing is to be heard of it any more, and nothing is sent after it.
    pub(super) until: Moment,
}

impl Transit {
    fn way(&self) -> Way {
        self.address.map(|address| address.link)
    }
}

/// By which link a session leaves; none if it goes without a gateway.
pub(super) type Way = Option<LinkId>;

/// Who leaves.
#[derive(Debug, Default)]
pub(super) struct Departures {
    due: Line,
    /// Those of the ways on which as many are under way as may be. So a gateway that hangs holds up nobody else's sessions.
    held_up: FxHashMap<Way, Line>,
    told: FxHashMap<SessionId, LinkId>,
    left: FxHashMap<SessionId, Transit>,
    /// How many of those have not arrived, as far as is known.
    in_transit: usize,
    /// How many sessions are under way on each way: told, or in transit.
    under_way: FxHashMap<Way, usize>,
    /// How many of those that left are members of a group.
    groups: FxHashMap<GroupId, usize>,
    by_address: FxHashMap<Address, SessionId>,
}

/// Sessions that wait, first come, first served. One that was hastened may stand in it twice.
#[derive(Debug, Default)]
struct Line {
    /// Those for whom somebody waits: they go before the others.
    hastened: VecDeque<SessionId>,
    others: VecDeque<SessionId>,
}

/// Whether somebody waits for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    Hastened,
    Usual,
}

impl Line {
    fn of(&mut self, urgency: Urgency) -> &mut VecDeque<SessionId> {
        match urgency {
            Urgency::Hastened => &mut self.hastened,
            Urgency::Usual => &mut self.others,
        }
    }

    fn pop(&mut self) -> Option<(SessionId, Urgency)> {
        let hastened = self.hastened.pop_front().map(|id| (id, Urgency::Hastened));
        hastened.or_else(|| self.others.pop_front().map(|id| (id, Urgency::Usual)))
    }

    fn is_empty(&self) -> bool {
        self.hastened.is_empty() && self.others.is_empty()
    }
}

impl Departures {
    /// These are the sessions here that belong elsewhere, by a new ring.
    pub(super) fn ring_changed(&mut self, foreign: Vec<SessionId>) {
        let is_foreign: FxHashSet<SessionId> = foreign.iter().copied().collect();
        self.keep_told(|id| is_foreign.contains(&id));
        let lines = std::iter::once(std::mem::take(&mut self.due)).chain(self.held_up.drain().map(|it| it.1));
        let hastened: VecDeque<SessionId> =
            lines.flat_map(|line| line.hastened).filter(|id| is_foreign.contains(id)).collect();
        let others = foreign.into_iter().filter(|id| !self.told.contains_key(id)).collect();
        self.due = Line { hastened, others };
    }

    /// A session that belongs elsewhere can go another way, or at last.
    pub(super) fn due_again(&mut self, id: SessionId) {
        self.forget(id);
        self.due.others.push_back(id);
    }

    /// A session goes before the others, after those that were hastened before it, if it has not been told.
    pub(super) fn hasten(&mut self, id: SessionId) {
        if !self.told.contains_key(&id) {
            self.due.hastened.push_back(id);
        }
    }

    /// Who goes next, while no more than `under_way_max` are under way on each way. `way_of` says how a session goes; nothing if
    /// it is not here any more.
    pub(super) fn next(
        &mut self,
        under_way_max: usize,
        way_of: impl Fn(SessionId) -> Option<Way>,
    ) -> Option<SessionId> {
        loop {
            let (id, urgency) = self.due.pop()?;
            // One that was hastened stands in line twice.
            let Some(way) = way_of(id).filter(|_| !self.told.contains_key(&id)) else { continue };
            if self.count(way) < under_way_max {
                return Some(id);
            }
            self.held_up.entry(way).or_default().of(urgency).push_back(id);
        }
    }

    /// Lets those go on that were held up, as far as there is room on their ways by now.
    pub(super) fn make_room(&mut self, under_way_max: usize) {
        let (due, under_way) = (&mut self.due, &self.under_way);
        self.held_up.retain(|way, line| {
            let room = under_way_max.saturating_sub(under_way.get(way).copied().unwrap_or(0));
            let roused: Vec<_> = (0..room).map_while(|_| line.pop()).collect();
            // They came before those that are due.
            roused.into_iter().rev().for_each(|(id, urgency)| due.of(urgency).push_front(id));
            !line.is_empty()
        });
    }

    /// A link is gone: its sessions go another way. Of those that have left by it nothing is to be heard after that moment.
    pub(super) fn link_gone(&mut self, link: LinkId, until: Moment) {
        let by_it = self.left.values_mut().filter(|transit| transit.way() == Some(link));
        by_it.for_each(|transit| transit.until = transit.until.min(until));
        let Line { hastened, others } = self.held_up.remove(&Some(link)).unwrap_or_default();
        self.due.hastened.extend(hastened);
        self.due.others.extend(others);
    }

    /// Its gateway was told.
    pub(super) fn told(&mut self, id: SessionId, link: LinkId) {
        self.forget(id);
        self.told.insert(id, link);
        self.set_off(Some(link));
    }

    /// Forgets those that have ended since they were told, in whatever way.
    pub(super) fn keep_told(&mut self, is_here: impl Fn(SessionId) -> bool) {
        let ended: Vec<SessionId> = self.told.keys().copied().filter(|id| !is_here(*id)).collect();
        ended.into_iter().for_each(|id| self.forget(id));
    }

    /// It has left, or ended.
    pub(super) fn forget(&mut self, id: SessionId) {
        if let Some(link) = self.told.remove(&id) {
            self.arrive(Some(link));
        }
    }

    /// It has left.
    pub(super) fn left(&mut self, id: SessionId, transit: Transit) {
        self.forget(id);
        self.finish(id);
        if let Some(address) = transit.address {
            self.by_address.insert(address, id);
        }
        for group in &transit.groups {
            *self.groups.entry(group.clone()).or_default() += 1;
        }
        self.in_transit += 1;
        self.set_off(transit.way());
        self.left.insert(id, transit);
    }

    /// A session has arrived elsewhere, and is followed until that moment. Gives back whether that was not known.
    pub(super) fn arrived(&mut self, id: SessionId, until: Moment) -> bool {
        let Some(transit) = self.left.get_mut(&id).filter(|transit| !transit.has_arrived) else {
            return false;
        };
        let way = transit.way();
        (transit.has_arrived, transit.until) = (true, until);
        if let Some(address) = transit.address.take() {
            self.by_address.remove(&address);
        }
        self.in_transit -= 1;
        self.arrive(way);
        true
    }

    /// Nothing more is to be done for a session in transit.
    pub(super) fn finish(&mut self, id: SessionId) -> Option<Transit> {
        let transit = self.left.remove(&id)?;
        if !transit.has_arrived {
            self.in_transit -= 1;
            self.arrive(transit.way());
        }
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

    /// What is told of a session whose client leaves while it is in transit.
    pub(super) fn ended(&mut self, id: SessionId) -> Option<Box<EndedSession>> {
        self.left.get_mut(&id)?.ended.take()
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

    /// Whether a session is in transit.
    pub(super) fn is_in_transit(&self, id: SessionId) -> bool {
        self.left.get(&id).is_some_and(|transit| !transit.has_arrived)
    }

    /// The sessions that have left and are followed: those in transit, and those that have arrived lately.
    pub(super) fn followed(&self) -> impl Iterator<Item = (SessionId, &Transit)> {
        self.left.iter().map(|(id, transit)| (*id, transit))
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
        self.told.keys().copied()
    }

    /// Whether anybody was told and has not left.
    pub(super) fn is_under_way(&self) -> bool {
        !self.told.is_empty()
    }

    /// Whether anything waits to go.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty() || !self.held_up.is_empty()
    }

    fn count(&self, way: Way) -> usize {
        self.under_way.get(&way).copied().unwrap_or(0)
    }

    /// One more is under way.
    fn set_off(&mut self, way: Way) {
        *self.under_way.entry(way).or_default() += 1;
    }

    /// One less is.
    fn arrive(&mut self, way: Way) {
        if let Some(count) = self.under_way.get_mut(&way) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(&way);
            }
        }
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
