//! A home's half: what each worker has reported.

use std::collections::{BTreeSet, HashMap, HashSet};

use ringway_ring::{MemberId, RingVersion};

use super::Report;
use crate::name::GroupId;

/// One report stream, as the home numbers them. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId(pub u64);

/// What the workers have reported to this home.
#[derive(Debug, Default)]
pub struct HomeInterest {
    streams: HashMap<MemberId, Stream>,
    /// For each group the workers that have reported it.
    by_group: HashMap<GroupId, BTreeSet<MemberId>>,
}

#[derive(Debug)]
struct Stream {
    id: StreamId,
    /// The ring for which the list is complete.
    complete_for: Option<RingVersion>,
    groups: HashSet<GroupId>,
}

impl HomeInterest {
    /// A worker begins to report; an older stream of the same worker is void.
    pub fn begin(&mut self, worker: MemberId, id: StreamId) {
        self.forget_groups_of(&worker);
        self.streams.insert(worker, Stream { id, complete_for: None, groups: HashSet::new() });
    }

    /// Takes a report. Gives back whether its stream still counts.
    pub fn report(&mut self, worker: &MemberId, id: StreamId, report: &Report) -> bool {
        if self.streams.get(worker).is_none_or(|stream| stream.id != id) {
            return false;
        }
        if report.restart {
            self.forget_groups_of(worker);
        }
        let Some(stream) = self.streams.get_mut(worker) else { return false };
        for group in &report.left {
            stream.groups.remove(group);
            remove_pair(&mut self.by_group, group, worker);
        }
        for group in &report.joined {
            stream.groups.insert(group.clone());
            self.by_group.entry(group.clone()).or_default().insert(worker.clone());
        }
        if report.restart {
            stream.complete_for = None;
        }
        if report.complete {
            stream.complete_for = Some(report.ring_version);
        }
        true
    }

    /// A report stream has ended; a newer one of the same worker stays.
    pub fn end(&mut self, worker: &MemberId, id: StreamId) {
        if self.streams.get(worker).is_some_and(|stream| stream.id == id) {
            self.forget_groups_of(worker);
            self.streams.remove(worker);
        }
    }

    /// The workers that a message to this group must be sent to, by the home's present ring: of `members`, those that
    /// have reported the group and those of which the home does not know.
    pub fn audience<'a>(
        &self,
        group: &GroupId,
        ring: RingVersion,
        members: impl IntoIterator<Item = &'a MemberId>,
    ) -> Vec<&'a MemberId> {
        let knows = |worker: &MemberId| {
            self.streams.get(worker).is_some_and(|stream| stream.complete_for == Some(ring))
        };
        members.into_iter().filter(|worker| self.has_reported(worker, group) || !knows(worker)).collect()
    }

    /// Whether a worker has reported this group.
    pub fn has_reported(&self, worker: &MemberId, group: &GroupId) -> bool {
        self.by_group.get(group).is_some_and(|workers| workers.contains(worker))
    }

    /// How many workers have a complete list for this ring.
    #[cfg(test)]
    pub(super) fn complete(&self, ring: RingVersion) -> usize {
        self.streams.values().filter(|stream| stream.complete_for == Some(ring)).count()
    }

    fn forget_groups_of(&mut self, worker: &MemberId) {
        let Some(stream) = self.streams.get_mut(worker) else { return };
        for group in stream.groups.drain() {
            remove_pair(&mut self.by_group, &group, worker);
        }
    }
}

fn remove_pair(by_group: &mut HashMap<GroupId, BTreeSet<MemberId>>, group: &GroupId, worker: &MemberId) {
    if let Some(workers) = by_group.get_mut(group) {
        workers.remove(worker);
        if workers.is_empty() {
            by_group.remove(group);
        }
    }
}
