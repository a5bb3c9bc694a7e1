//! A worker's half: its own groups, and what each home has yet to be told of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ringway_ring::{MemberId, Ring};

use super::Report;
use crate::name::GroupId;

/// How many groups one report names at the most, so that no report is large.
const GROUPS_PER_REPORT_MAX: usize = 1_000;

/// This worker's groups and the state of its reports to each home.
#[derive(Debug)]
pub struct LocalInterest {
    me: MemberId,
    ring: Arc<Ring>,
    homes: HashMap<MemberId, Home>,
    /// Groups whose home is this worker, or nobody.
    own: HashSet<GroupId>,
}

/// What one home has been told.
#[derive(Debug, Default)]
struct Home {
    /// Our groups whose home it is.
    groups: HashSet<GroupId>,
    /// The last report's number. It never starts over, so that waiting for a number outlives a broken stream.
    sequence: u64,
    /// The last acknowledged report's number.
    acknowledged: u64,
    /// The next report begins a complete list.
    restart: bool,
    /// The list that the last restart began is not complete yet.
    listing: bool,
    introduction: Introduction,
    /// It has kept somebody waiting for too long: nobody waits for it until it has caught up.
    overdue: bool,
    pending: Pending,
    /// For groups that were reported and not yet acknowledged: by which report.
    unsettled: HashMap<GroupId, u64>,
}

/// Whether a home knows by which ring this worker reports now. Until it does, it may take an old list for complete,
/// and itself for the home of groups that this worker reports elsewhere by now.
#[derive(Debug, Default, PartialEq, Eq)]
enum Introduction {
    #[default]
    Due,
    /// By this report.
    Sent(u64),
    Done,
}

/// Changes that are not reported yet, in no order: each group at most once.
#[derive(Debug, Default)]
struct Pending {
    joined: HashSet<GroupId>,
    left: HashSet<GroupId>,
}

impl LocalInterest {
    /// No groups yet, under this ring.
    pub fn new(me: MemberId, ring: Arc<Ring>) -> Self {
        LocalInterest { me, ring, homes: HashMap::new(), own: HashSet::new() }
    }

    /// A new ring: every home gets a complete list for it. `workers` are all to whom reports go.
    pub fn ring_changed(&mut self, ring: Arc<Ring>, workers: impl IntoIterator<Item = MemberId>) {
        self.ring = ring;
        let mut old = std::mem::take(&mut self.homes);
        let moving = old.values_mut().flat_map(|home| home.groups.drain());
        let groups: Vec<GroupId> = moving.chain(self.own.drain()).collect();
        for worker in workers.into_iter().filter(|worker| *worker != self.me) {
            self.homes.insert(worker.clone(), old.remove(&worker).unwrap_or_default());
        }
        for group in groups {
            self.groups_of_home(&group).insert(group);
        }
        for home in self.homes.values_mut() {
            home.introduction = Introduction::Due;
            home.begin_list();
        }
    }

    /// A group has its first member here.
    pub fn appeared(&mut self, group: &GroupId) {
        self.groups_of_home(group).insert(group.clone());
        if let Some(home) = self.home_of(group) {
            home.pending.left.remove(group);
            home.pending.joined.insert(group.clone());
        }
    }

    /// A group has lost its last member here.
    pub fn vanished(&mut self, group: &GroupId) {
        self.groups_of_home(group).remove(group);
        if let Some(home) = self.home_of(group) {
            home.unsettled.remove(group);
            home.pending.joined.remove(group);
            if !home.restart {
                home.pending.left.insert(group.clone());
            }
        }
    }

    /// A new stream to a home begins: it must have a complete list.
    pub fn restart(&mut self, home: &MemberId) {
        if let Some(home) = self.homes.get_mut(home) {
            home.begin_list();
        }
    }

    /// The next report to a home, if there is something to say.
    pub fn next_report(&mut self, home: &MemberId) -> Option<Report> {
        let ring_version = self.ring.version();
        let home = self.homes.get_mut(home)?;
        if home.pending.is_empty() && !home.restart && !home.listing {
            return None;
        }
        home.sequence += 1;
        let restart = std::mem::take(&mut home.restart);
        if home.introduction == Introduction::Due {
            home.introduction = Introduction::Sent(home.sequence);
        }
        let joined = take(&mut home.pending.joined, GROUPS_PER_REPORT_MAX);
        let left = take(&mut home.pending.left, GROUPS_PER_REPORT_MAX - joined.len());
        home.unsettled.extend(joined.iter().map(|group| (group.clone(), home.sequence)));
        home.listing = !home.pending.joined.is_empty() && (restart || home.listing);
        Some(Report { sequence: home.sequence, ring_version, restart, complete: !home.listing, joined, left })
    }

    /// A home has taken note of a report and all before it. Gives back whether it was overdue and has caught up.
    pub fn acknowledged(&mut self, home: &MemberId, sequence: u64) -> bool {
        let Some(home) = self.homes.get_mut(home) else { return false };
        home.acknowledged = home.acknowledged.max(sequence);
        let acknowledged = home.acknowledged;
        if matches!(home.introduction, Introduction::Sent(sequence) if sequence <= acknowledged) {
            home.introduction = Introduction::Done;
        }
        home.unsettled.retain(|_, sequence| *sequence > acknowledged);
        home.is_current() && std::mem::take(&mut home.overdue)
    }

    /// Somebody has waited for too long: from now on nobody waits for the homes that are behind, until they have caught
    /// up. Gives back those of them for which somebody did wait until now.
    pub fn give_up_waiting(&mut self) -> Vec<MemberId> {
        let behind = self.homes.iter_mut().filter(|(_, home)| !home.overdue && !home.is_current());
        behind
            .map(|(id, home)| {
                home.overdue = true;
                id.clone()
            })
            .collect()
    }

    /// Whether the home of this group knows that it has members here, and nobody else takes itself for its home by an
    /// older ring: so that a message to it surely comes by. Homes that are [overdue](Self::give_up_waiting) do not count.
    pub fn settled(&self, group: &GroupId) -> bool {
        if self.homes.values().any(|home| !home.overdue && home.introduction != Introduction::Done) {
            return false;
        }
        match self.ring.owner(group.as_str()).and_then(|owner| self.homes.get(owner)) {
            Some(home) => home.overdue || home.knows(group),
            None => true,
        }
    }

    fn home_of(&mut self, group: &GroupId) -> Option<&mut Home> {
        self.homes.get_mut(self.ring.owner(group.as_str())?)
    }

    fn groups_of_home(&mut self, group: &GroupId) -> &mut HashSet<GroupId> {
        match self.ring.owner(group.as_str()).and_then(|owner| self.homes.get_mut(owner)) {
            Some(home) => &mut home.groups,
            None => &mut self.own,
        }
    }
}

impl Home {
    fn begin_list(&mut self) {
        self.restart = true;
        self.listing = true;
        self.pending = Pending { joined: self.groups.clone(), left: HashSet::new() };
        self.unsettled.clear();
        if let Introduction::Sent(_) = self.introduction {
            self.introduction = Introduction::Due;
        }
    }

    /// Whether it has taken note of this group.
    fn knows(&self, group: &GroupId) -> bool {
        !self.pending.joined.contains(group) && !self.unsettled.contains_key(group)
    }

    /// Whether it has taken note of everything.
    fn is_current(&self) -> bool {
        self.introduction == Introduction::Done && self.pending.joined.is_empty() && self.unsettled.is_empty()
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty()
    }
}

fn take(groups: &mut HashSet<GroupId>, most: usize) -> Vec<GroupId> {
    if groups.len() <= most {
        return groups.drain().collect();
    }
    let taken: Vec<GroupId> = groups.iter().take(most).cloned().collect();
    for group in &taken {
        groups.remove(group);
    }
    taken
}
