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
