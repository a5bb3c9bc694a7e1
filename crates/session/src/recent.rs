//! Which messages to groups and to all a session was given lately, while it is between two workers.
//!
//! Such a message goes to the old and to the new worker at the same time, and the session may be at each of them when it
//! comes. It is known by the hash of its id. A worker keeps one log of what it has [lately](Lately) sent to many; that a session
//! was given what stands in it follows from when the session came and from its groups. So a session [remembers](Recent)
//! only what it was given otherwise, and thousands may begin to move at once for almost nothing. What is old goes, also while
//! one change of the ring comes after the other: its age travels with it.

use std::collections::VecDeque;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::moment::Moment;
use crate::name::GroupId;
use crate::state::GivenLately;

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
    at: Moment,
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

    /// What is given now, and is no message to many.
    pub(crate) fn given_now(&self, id_hash: u64) -> Given {
        Given { number: self.count, id_hash, at: self.now }
    }

    pub(crate) fn note(&mut self, id_hash: u64, group: Option<&GroupId>) {
        if self.entries.len() == LATELY_MAX {
            self.forget_oldest();
        }
        let given = Given { number: self.count, id_hash, at: self.now };
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
    /// What a session brings, the oldest first.
    pub(crate) fn brought(given: impl IntoIterator<Item = GivenLately>, lately: &Lately) -> Self {
        let mut recent = Recent::default();
        let here = |GivenLately { id_hash, age_ms }: GivenLately| {
            let at = Moment(lately.now.0.saturating_sub(age_ms.into()));
            Given { at, ..lately.given_now(id_hash) }
        };
        recent.add(given.into_iter().map(here));
        recent
    }

    /// Whether it has a message.
    pub(crate) fn has(&self, id_hash: u64) -> bool {
        self.known.contains(&id_hash)
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

    /// Forgets what is older than that.
    pub(crate) fn forget(&mut self, now: Moment, age: Duration) {
        while let Some(oldest) = self.order.pop_front_if(|given| given.at + age <= now) {
            self.known.remove(&oldest.id_hash);
        }
        if self.order.len() < self.order.capacity() / 4 {
            self.order.shrink_to_fit();
            self.known.shrink_to_fit();
        }
    }

    /// All that it was given, together with what follows from the log; the oldest first.
    pub(crate) fn with(&self, given: Vec<Given>, lately: &Lately) -> Vec<GivenLately> {
        let given = given.into_iter().filter(|given| !self.has(given.id_hash));
        let mut all: Vec<Given> = self.order.iter().copied().chain(given).collect();
        all.sort_by_key(|given| given.number);
        let newest = all.split_off(all.len().saturating_sub(REMEMBERED_MAX));
        let age_ms = |at| u32::try_from(lately.now.since(at).as_millis()).unwrap_or(u32::MAX);
        newest
            .into_iter()
            .map(|Given { id_hash, at, .. }| GivenLately { id_hash, age_ms: age_ms(at) })
            .collect()
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

    fn ids(given: Vec<GivenLately>) -> Vec<u64> {
        given.into_iter().map(|given| given.id_hash).collect()
    }

    fn given(lately: &Lately, groups: &[&str], since: u64) -> Vec<u64> {
        let groups: Vec<GroupId> = groups.iter().map(|name| group(name)).collect();
        let listed = ids(Recent::default().with(lately.given_to(&groups, since), lately));
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

    fn brought(id_hashes: impl IntoIterator<Item = u64>, lately: &Lately) -> Recent {
        Recent::brought(id_hashes.into_iter().map(|id_hash| GivenLately { id_hash, age_ms: 0 }), lately)
    }

    #[test]
    fn a_session_goes_on_with_the_newest_of_what_it_brought_and_was_given() {
        let mut lately = Lately::default();
        lately.note(100, None);
        let mut recent = brought([7, 8, 7, 101], &lately);
        lately.note(101, Some(&group("a")));
        lately.note(102, Some(&group("b")));
        recent.add([lately.given_now(9)]);
        lately.note(103, Some(&group("a")));
        assert!([7, 8, 9, 101].iter().all(|id_hash| recent.has(*id_hash)) && !recent.has(100));
        let groups = [group("a"), group("b")];
        assert_eq!(ids(recent.with(lately.given_to(&groups, 1), &lately)), [7, 8, 101, 102, 9, 103]);

        let mut many = brought(0..2 * REMEMBERED_MAX as u64, &lately);
        assert!(!many.has(0) && many.has(2 * REMEMBERED_MAX as u64 - 1));
        many.add([lately.given_now(u64::MAX)]);
        lately.note(0, None);
        let ids = ids(many.with(lately.given_to(&[], 4), &lately));
        assert_eq!((ids.len(), ids[REMEMBERED_MAX - 2..].to_vec()), (REMEMBERED_MAX, vec![u64::MAX, 0]));
    }

    #[test]
    fn what_a_session_was_given_grows_old_also_on_its_way_from_worker_to_worker() {
        let at = |seconds: u64| {
            let mut lately = Lately::default();
            lately.forget(Moment(1_000 * seconds), AGE);
            lately
        };
        let mut recent = Recent::default();
        recent.add([at(100).given_now(1)]);
        recent.add([at(104).given_now(2)]);
        let left = recent.with(Vec::new(), &at(106));
        assert_eq!(left.iter().map(|given| given.age_ms).collect::<Vec<_>>(), [6_000, 2_000]);

        // The next worker has a clock of its own.
        let mut recent = Recent::brought(left, &at(20));
        for (seconds, has_first, has_second) in [(23, true, true), (24, false, true), (28, false, false)] {
            recent.forget(Moment(1_000 * seconds), AGE);
            assert_eq!((recent.has(1), recent.has(2)), (has_first, has_second), "{seconds}");
        }
        assert!(recent.order.is_empty() && recent.known.is_empty());
    }
}
