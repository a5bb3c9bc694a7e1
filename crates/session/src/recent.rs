//! Which messages to groups and to all a session was given lately, while it is between two workers.
//!
//! Such a message goes to the old and to the new worker at the same time, and the session may be at each of them when it
//! comes. It is known by the hash of its id. A session that is not moving remembers nothing; but since a message may have come
//! before it was known that the session moves, a worker knows for a while to whom it has [lately](Lately) given what.

use std::collections::VecDeque;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::moment::Moment;
use crate::name::GroupId;

/// How many messages are remembered; of more, the oldest are forgotten.
const REMEMBERED_MAX: usize = 1024;

/// How many messages to many a worker knows of; of more, the oldest are forgotten.
const LATELY_MAX: usize = 16_384;

/// What a worker has sent to many of its sessions in the last while.
#[derive(Debug, Default)]
pub(crate) struct Lately {
    entries: VecDeque<Spread>,
    /// How many there have been.
    count: u64,
    /// The last time that it was told.
    now: Moment,
}

#[derive(Debug)]
struct Spread {
    at: Moment,
    id_hash: u64,
    /// To whom; to all if there is none.
    group: Option<GroupId>,
}

impl Lately {
    /// How many messages there have been.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn note(&mut self, id_hash: u64, group: Option<&GroupId>) {
        if self.entries.len() == LATELY_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(Spread { at: self.now, id_hash, group: group.cloned() });
        self.count += 1;
    }

    /// The same by group, for looking up many sessions.
    pub(crate) fn by_group(&self) -> SpreadsByGroup<'_> {
        let first = self.count - self.entries.len() as u64;
        let mut by_group = SpreadsByGroup::default();
        for (number, spread) in (first..).zip(&self.entries) {
            let known = match &spread.group {
                Some(group) => by_group.groups.entry(group).or_default(),
                None => &mut by_group.all,
            };
            known.push((number, spread.id_hash));
        }
        by_group
    }

    /// It is that late now, and what is older than that does not matter any more.
    pub(crate) fn forget(&mut self, now: Moment, age: Duration) {
        self.now = now;
        while self.entries.front().is_some_and(|spread| spread.at + age <= now) {
            self.entries.pop_front();
        }
    }
}

/// What was sent to many lately: the number of each message, and the hash of its id.
#[derive(Debug, Default)]
pub(crate) struct SpreadsByGroup<'a> {
    all: Vec<(u64, u64)>,
    groups: FxHashMap<&'a GroupId, Vec<(u64, u64)>>,
}

impl SpreadsByGroup<'_> {
    /// What was given to a session of these groups, which is here since there were `since` messages; the oldest first.
    pub(crate) fn given_to(&self, groups: &[GroupId], since: u64) -> Vec<u64> {
        let lists = groups.iter().filter_map(|group| self.groups.get(group)).chain([&self.all]);
        let newest = |list: &Vec<(u64, u64)>| {
            let from = list.partition_point(|(number, _)| *number < since);
            list[from.max(list.len().saturating_sub(REMEMBERED_MAX))..].to_vec()
        };
        let mut given: Vec<(u64, u64)> = lists.flat_map(newest).collect();
        given.sort_unstable();
        given.into_iter().map(|(_, id_hash)| id_hash).collect()
    }
}

#[derive(Debug)]
pub(crate) struct Recent {
    ids: VecDeque<u64>,
    /// From when on nothing needs to be remembered.
    pub(crate) until: Moment,
}

impl Recent {
    pub(crate) fn new(ids: impl IntoIterator<Item = u64>, until: Moment) -> Self {
        let mut recent = Recent { ids: VecDeque::new(), until };
        ids.into_iter().for_each(|id_hash| _ = recent.note(id_hash));
        recent
    }

    /// Takes note of a message. Gives back whether it is new.
    pub(crate) fn note(&mut self, id_hash: u64) -> bool {
        if self.ids.contains(&id_hash) {
            return false;
        }
        if self.ids.len() == REMEMBERED_MAX {
            self.ids.pop_front();
        }
        self.ids.push_back(id_hash);
        true
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        self.ids.iter().copied()
    }
}
