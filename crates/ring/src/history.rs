//! A short memory of rings: was this one in force a moment ago?

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ring::Ring;

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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemberId, RingMember, Slot, Strategy, Weight};

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

    /// Who owns everything by each of the rings.
    fn owners_in(history: &RingHistory) -> Vec<&str> {
        let owners = history.rings().filter_map(|ring| ring.owner_of_slot(Slot::of(b"alice")));
        owners.map(MemberId::as_str).collect()
    }

    #[test]
    fn the_newest_rings_are_remembered_and_the_most_recent_comes_first() {
        for (rings_max, owners, expected) in [
            (4, vec![&["a"][..]], vec!["a"]),
            (4, vec![&["a"], &["b"], &["c"]], vec!["c", "b", "a"]),
            (4, vec![&["a"], &["b"], &["a"]], vec!["a", "b", "a"]),
            (2, vec![&["a"], &["b"], &["c"]], vec!["c", "b"]),
            (0, vec![&["a"], &["b"]], vec!["b"]),
        ] {
            assert_eq!(
                owners_in(&history(rings_max, &owners)),
                expected,
                "after {owners:?}, of which {rings_max} are kept"
            );
        }
    }

    #[test]
    fn a_ring_of_the_same_version_takes_the_place_of_the_current_one() {
        let mut history = history(2, &[&["a"], &["b"]]);
        let weightless = RingMember::new(MemberId::new("c").unwrap()).weighing(Weight::ZERO);
        let same = history.current().members().iter().cloned().chain([weightless]).collect::<Vec<_>>();
        history.push(Arc::new(history.current().with_members(same).unwrap()));
        assert_eq!(history.current().members().len(), 2);
        assert_eq!(owners_in(&history), ["b", "a"]);
    }
}
