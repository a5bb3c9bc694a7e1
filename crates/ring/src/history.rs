//! A short memory of rings: was this one in force a moment ago?

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ring::Ring;
use crate::version::RingVersion;

/// The current ring, and the versions of the few before it: a ring itself takes one and a half megabytes. The oldest version is
/// forgotten first.
#[derive(Clone, Debug)]
pub struct RingHistory {
    current: Arc<Ring>,
    /// The most recent first.
    former: VecDeque<RingVersion>,
    rings_max: usize,
}

impl RingHistory {
    /// A history that begins with this ring. `rings_max` counts the current one too; below 1 it means 1.
    pub fn new(current: Arc<Ring>, rings_max: usize) -> Self {
        Self { current, former: VecDeque::new(), rings_max: rings_max.max(1) }
    }

    /// Makes a ring the current one. A ring of the current version takes its place and makes no history.
    pub fn push(&mut self, ring: Arc<Ring>) {
        let former = std::mem::replace(&mut self.current, ring);
        if former.version() != self.current.version() {
            self.former.push_front(former.version());
            self.former.truncate(self.rings_max - 1);
        }
    }

    /// The ring that is in force.
    pub fn current(&self) -> &Arc<Ring> {
        &self.current
    }

    /// The versions of all remembered rings, the current one first.
    pub fn versions(&self) -> impl Iterator<Item = RingVersion> {
        std::iter::once(self.current.version()).chain(self.former.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemberId, RingMember, Strategy, Weight};

    fn ring(ids: &[&str]) -> Arc<Ring> {
        let members = ids.iter().map(|id| RingMember::new(MemberId::new(id).unwrap()));
        Arc::new(Ring::build(Strategy::Slots, members).unwrap())
    }

    /// The rings of lone members, pushed in this order.
    fn history(rings_max: usize, ids: &[&str]) -> RingHistory {
        let mut history = RingHistory::new(ring(&ids[..1]), rings_max);
        ids[1..].iter().for_each(|id| history.push(ring(&[id])));
        history
    }

    #[track_caller]
    fn check_remembers(history: &RingHistory, ids: &[&str]) {
        let expected: Vec<_> = ids.iter().map(|id| ring(&[id]).version()).collect();
        assert_eq!(history.versions().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_newest_rings_are_remembered_and_the_most_recent_comes_first() {
        for (rings_max, pushed, expected) in [
            (4, &["a"][..], &["a"][..]),
            (4, &["a", "b", "c"], &["c", "b", "a"]),
            (4, &["a", "b", "a"], &["a", "b", "a"]),
            (2, &["a", "b", "c"], &["c", "b"]),
            (0, &["a", "b"], &["b"]),
        ] {
            check_remembers(&history(rings_max, pushed), expected);
        }
    }

    #[test]
    fn a_ring_of_the_same_version_takes_the_place_of_the_current_one() {
        let mut history = history(2, &["a", "b"]);
        let weightless = RingMember::new(MemberId::new("c").unwrap()).weighing(Weight::ZERO);
        let same = history.current().members().iter().cloned().chain([weightless]).collect::<Vec<_>>();
        history.push(Arc::new(history.current().with_members(same).unwrap()));
        assert_eq!(history.current().members().len(), 2);
        check_remembers(&history, &["b", "a"]);
    }

    #[test]
    fn rings_that_are_over_are_let_go() {
        let first = ring(&["a"]);
        let mut history = RingHistory::new(Arc::clone(&first), 8);
        history.push(ring(&["b"]));
        assert_eq!(Arc::strong_count(&first), 1);
    }
}
