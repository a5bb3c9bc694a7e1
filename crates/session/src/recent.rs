//! Which messages to groups and to all a session was given lately, while it is between two workers.
//!
//! Such a message goes to the old and to the new worker at the same time, and the session may be at each of them when it
//! comes. It is known by the hash of its id. A worker keeps one log of what it has [lately](Lately) sent to many; that a session
//! was given what stands in it follows from when the session came and from its groups. So a session [remembers](Recent)
//! only what it was given otherwise, and thousands may begin to move at once for almost nothing.

use std::collections::VecDeque;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::moment::Moment;
use crate::name::GroupId;

/// How many messages are remembered of one session; of more, the oldest are forgotten.
const REMEMBERED_MAX: usize = 1024;

/// How many messages to many a worker knows of; of more, the oldest are forgotten.
const LATELY_MAX: usize = 65_536;

/// A message to many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Given {
    /// Which in the order of the worker's messages to many; what is no such message has the number of the next one.
    number: u64,
    id_hash: u64,
}

/// What a worker has sent to many of its sessions in the last while.
#[derive(Debug, Default)]
pub(crate) struct Lately {
    /// The last one has the number `count - 1`.
    entries: VecDeque<Spread>,
    /// How many there have been.
    count: u64,
    /// The number of the newest message with this id.
    by_id: FxHashMap<u64, u64>,
    by_group: FxHashMap<GroupId, VecDeque<Given>>,
    to_all: VecDeque<Given>,
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

/// A message that was sent to many before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before<'a> {
    number: u64,
    group: Option<&'a GroupId>,
}

impl Before<'_> {
    /// Whether it was given to a session of these groups, sorted, which is here since there were `since` messages to many.
    pub(crate) fn was_given_to(self, groups: &[GroupId], since: u64) -> bool {
        since <= self.number && self.group.is_none_or(|group| groups.binary_search(group).is_ok())
    }
}

impl Lately {
    /// How many messages there have been.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn note(&mut self, id_hash: u64, group: Option<&GroupId>) {
        if self.entries.len() == LATELY_MAX {
            self.forget_oldest();
        }
        let given = Given { number: self.count, id_hash };
        match group {
            Some(group) => self.by_group.entry(group.clone()).or_default().push_back(given),
            None => self.to_all.push_back(given),
        }
        self.entries.push_back(Spread { at: self.now, id_hash, group: group.cloned() });
        self.by_id.insert(id_hash, self.count);
        self.count += 1;
    }

    /// The newest message with this id, if there was one.
    pub(crate) fn find(&self, id_hash: u64) -> Option<Before<'_>> {
        let number = *self.by_id.get(&id_hash)?;
        let place = usize::try_from(number - self.first()).ok()?;
        Some(Before { number, group: self.entries.get(place)?.group.as_ref() })
    }

    /// What was given to a session of these groups, which is here since there were `since` messages; the oldest first.
    pub(crate) fn given_to(&self, groups: &[GroupId], since: u64) -> Vec<Given> {
        let of_groups = groups.iter().filter_map(|group| self.by_group.get(group));
        let lists = of_groups.chain([&self.to_all]);
        let newest = |list: &VecDeque<Given>| -> Vec<Given> {
            list.iter()
                .rev()
                .take(REMEMBERED_MAX)
                .take_while(|given| since <= given.number)
                .copied()
                .collect()
        };
        let mut given: Vec<Given> = lists.flat_map(newest).collect();
        given.sort_unstable();
        given.split_off(given.len().saturating_sub(REMEMBERED_MAX))
    }

    /// It is that late now, and what is older than that does not matter any more.
    pub(crate) fn forget(&mut self, now: Moment, age: Duration) {
        self.now = now;
        while self.entries.front().is_some_and(|spread| spread.at + age <= now) {
            self.forget_oldest();
        }
    }

    /// The number of the oldest that is known.
    fn first(&self) -> u64 {
        self.count - self.entries.len() as u64
    }

    fn forget_oldest(&mut self) {
        let number = self.first();
        let Some(Spread { id_hash, group, .. }) = self.entries.pop_front() else { return };
        if self.by_id.get(&id_hash) == Some(&number) {
            self.by_id.remove(&id_hash);
        }
        let Some(group) = group else {
            self.to_all.pop_front();
            return;
        };
        if let Some(list) = self.by_group.get_mut(&group) {
            list.pop_front();
            if list.is_empty() {
                self.by_group.remove(&group);
            }
        }
    }
}

/// What a session was given and does not follow from its worker's log: by the worker before, or to itself alone.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    order: VecDeque<Given>,
    known: FxHashSet<u64>,
}

impl Recent {
    /// What a session brings, the oldest first, that comes when there have been `count` messages to many.
    pub(crate) fn brought(ids: impl IntoIterator<Item = u64>, count: u64) -> Self {
        let mut recent = Recent::default();
        ids.into_iter().for_each(|id_hash| recent.note(id_hash, count));
        recent
    }

    /// Whether it has a message.
    pub(crate) fn has(&self, id_hash: u64) -> bool {
        self.known.contains(&id_hash)
    }

    /// It has a message, given to it when there had been `count` to many.
    pub(crate) fn note(&mut self, id_hash: u64, count: u64) {
        self.add([Given { number: count, id_hash }]);
    }

    /// It has these.
    pub(crate) fn add(&mut self, given: impl IntoIterator<Item = Given>) {
        for given in given {
            if !self.known.insert(given.id_hash) {
                continue;
            }
            self.order.push_back(given);
            if self.order.len() > REMEMBERED_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest.id_hash);
            }
        }
    }

    /// The ids of all that it was given, together with what follows from the log; the oldest first.
    pub(crate) fn ids_with(&self, given: Vec<Given>) -> Vec<u64> {
        let given = given.into_iter().filter(|given| !self.has(given.id_hash));
        let mut all: Vec<Given> = self.order.iter().copied().chain(given).collect();
        all.sort_by_key(|given| given.number);
        let newest = all.split_off(all.len().saturating_sub(REMEMBERED_MAX));
        newest.into_iter().map(|given| given.id_hash).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(10);

    fn group(name: &str) -> GroupId {
        GroupId::new(name).unwrap()
    }

    /// Messages 0 to all, 1 to `a`, 2 to `b`, 3 to `a`; message n has the id 100 + n and comes at second n.
    fn lately() -> Lately {
        let mut lately = Lately::default();
        for (second, to) in [None, Some("a"), Some("b"), Some("a")].into_iter().enumerate() {
            lately.forget(Moment(1_000 * second as u64), AGE);
            lately.note(100 + second as u64, to.map(group).as_ref());
        }
        lately
    }

    fn given(lately: &Lately, groups: &[&str], since: u64) -> Vec<u64> {
        let groups: Vec<GroupId> = groups.iter().map(|name| group(name)).collect();
        let listed: Vec<u64> = Recent::default().ids_with(lately.given_to(&groups, since));
        let found = (100..110).filter(|id_hash| {
            lately.find(*id_hash).is_some_and(|before| before.was_given_to(&groups, since))
        });
        assert_eq!(listed, found.collect::<Vec<_>>(), "the list and the look-up agree");
        listed
    }

    #[test]
    fn what_a_session_was_given_follows_from_its_groups_and_from_when_it_came() {
        let lately = lately();
        let check = |groups: &[&str], since: u64, expected: &[u64]| {
            assert_eq!(given(&lately, groups, since), expected, "{groups:?} since {since}");
        };
        check(&[], 0, &[100]);
        check(&["a"], 0, &[100, 101, 103]);
        check(&["a", "b"], 0, &[100, 101, 102, 103]);
        check(&["a", "b"], 2, &[102, 103]);
        check(&["a"], 4, &[]);
        check(&["c"], 1, &[]);
    }

    #[test]
    fn what_is_old_or_too_much_is_forgotten() {
        let mut lately = lately();
        lately.forget(Moment(11_000), AGE);
        assert_eq!(given(&lately, &["a", "b"], 0), [102, 103]);
        for number in 0..LATELY_MAX as u64 {
            lately.note(1_000 + number, None);
        }
        assert_eq!(given(&lately, &["a", "b"], u64::MAX), [0; 0]);
        assert!(lately.by_group.is_empty() && lately.find(103).is_none());
        assert_eq!(lately.by_id.len(), LATELY_MAX);
        assert_eq!(lately.given_to(&[], 0).len(), REMEMBERED_MAX);
    }

    #[test]
    fn a_message_that_came_twice_is_known_until_the_second_is_forgotten() {
        let mut lately = lately();
        lately.note(101, Some(&group("a")));
        lately.forget(Moment(11_000), AGE);
        assert!(lately.find(101).is_some());
        lately.forget(Moment(14_000), AGE);
        assert!(lately.find(101).is_none());
    }

    #[test]
    fn a_session_goes_on_with_the_newest_of_what_it_brought_and_was_given() {
        let mut recent = Recent::brought([7, 8, 7, 101], 1);
        recent.note(9, 3);
        assert!([7, 8, 9, 101].iter().all(|id_hash| recent.has(*id_hash)) && !recent.has(100));
        let groups = [group("a"), group("b")];
        assert_eq!(recent.ids_with(lately().given_to(&groups, 1)), [7, 8, 101, 102, 9, 103]);

        let mut many = Recent::brought(0..2 * REMEMBERED_MAX as u64, 0);
        assert!(!many.has(0) && many.has(2 * REMEMBERED_MAX as u64 - 1));
        many.add([Given { number: 5, id_hash: u64::MAX }]);
        let ids = many.ids_with(vec![Given { number: 6, id_hash: 0 }]);
        assert_eq!((ids.len(), ids[REMEMBERED_MAX - 2..].to_vec()), (REMEMBERED_MAX, vec![u64::MAX, 0]));
    }
}
