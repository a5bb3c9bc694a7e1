//! A short memory of rings: where was this key a moment ago?

use std::collections::VecDeque;
use std::sync::Arc;

use crate::member::MemberId;
use crate::ring::Ring;
use crate::slot::Slot;

/// The current ring and the few before it. It holds at most `rings_max` rings; the oldest is forgotten first.
#[derive(Clone, Debug)]
pub struct RingHistory {
    /// The most recent first. Never empty.
    rings: VecDeque<Arc<Ring>>,
    rings_max: usize,
}

impl RingHistory {
    /// A history that begins with this ring. `rings_max` counts the current one too; below 1 it means 1.
    pub fn new(current: Arc<Ring>, rings_max: usize) -> Self {
        Self { rings: VecDeque::from([current]), rings_max: rings_max.max(1) }
    }

    /// Makes a ring the current one. A ring of the current version takes its place and makes no history.
    pub fn push(&mut self, ring: Arc<Ring>) {
        if ring.version() == self.current().version() {
            self.rings[0] = ring;
            return;
        }
        self.rings.push_front(ring);
        self.rings.truncate(self.rings_max);
    }

    /// The ring that is in force.
    pub fn current(&self) -> &Arc<Ring> {
        &self.rings[0]
    }

    /// All remembered rings, the current one first.
    pub fn rings(&self) -> impl ExactSizeIterator<Item = &Arc<Ring>> {
        self.rings.iter()
    }

    /// Who owned a key before, the most recent first: each member once, without the current owner.
    pub fn previous_owners(&self, key: &str) -> Vec<&MemberId> {
        self.previous_owners_of_slot(Slot::of(key.as_bytes()))
    }

    /// Who owned a slot before, the most recent first: each member once, without the current owner.
    pub fn previous_owners_of_slot(&self, slot: Slot) -> Vec<&MemberId> {
        let current = self.current().owner_of_slot(slot);
        let mut previous = Vec::new();
        for owner in self.rings.iter().skip(1).filter_map(|ring| ring.owner_of_slot(slot)) {
            if Some(owner) != current && !previous.contains(&owner) {
                previous.push(owner);
            }
        }
        previous
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RingMember, Strategy, Weight};

    fn ring(ids: &[&str]) -> Arc<Ring> {
        let members = ids.iter().map(|id| RingMember::new(MemberId::new(id).unwrap()));
        Arc::new(Ring::build(Strategy::Slots, members).unwrap())
    }

    /// The rings of lone members, pushed in this order: each owns every key while it is there.
    fn history(rings_max: usize, owners: &[&[&str]]) -> RingHistory {
        let mut history = RingHistory::new(ring(owners[0]), rings_max);
        owners[1..].iter().for_each(|ids| history.push(ring(ids)));
        history
    }

    #[test]
    fn previous_owners_are_distinct_and_the_most_recent_comes_first() {
        for (rings_max, owners, expected) in [
            (4, vec![&["a"][..]], vec![]),
            (4, vec![&["a"], &["b"]], vec!["a"]),
            (4, vec![&["a"], &["b"], &["c"]], vec!["b", "a"]),
            (4, vec![&["a"], &["b"], &["a"]], vec!["b"]),
            (4, vec![&["a"], &["b"], &["a"], &["c"]], vec!["a", "b"]),
            (4, vec![&["a"], &[], &["b"]], vec!["a"]),
            (2, vec![&["a"], &["b"], &["c"]], vec!["b"]),
            (0, vec![&["a"], &["b"]], vec![]),
        ] {
            let history = history(rings_max, &owners);
            let previous: Vec<&str> =
                history.previous_owners("alice").into_iter().map(MemberId::as_str).collect();
            assert_eq!(previous, expected, "after {owners:?}, of which {rings_max} are kept");
            assert!(history.rings().len() <= rings_max.max(1));
        }
    }

    #[test]
    fn a_ring_of_the_same_version_takes_the_place_of_the_current_one() {
        let mut history = history(2, &[&["a"], &["b"]]);
        let weightless = RingMember::new(MemberId::new("c").unwrap()).weighing(Weight::ZERO);
        let same = history.current().members().iter().cloned().chain([weightless]).collect::<Vec<_>>();
        history.push(Arc::new(history.current().with_members(same).unwrap()));
        assert_eq!(history.current().members().len(), 2);
        assert_eq!(history.previous_owners("alice"), [&MemberId::new("a").unwrap()]);
    }
}
