//! Who has said what it holds, and of which users that leaves nothing unknown.

use std::collections::BTreeSet;
use std::sync::Arc;

use ringway_ring::{MemberId, Ring, Slot};

/// How many rings are remembered that passed before all had said what they hold. A ring takes one and a half megabytes.
const UNSETTLED_MAX: usize = 8;

#[derive(Debug)]
pub(super) struct Settling {
    me: MemberId,
    /// A ring without members.
    empty: Arc<Ring>,
    ring: Arc<Ring>,
    /// The last ring of which all others have said what they hold.
    settled: Arc<Ring>,
    /// The rings between that one and the present one.
    unsettled: Vec<Arc<Ring>>,
    /// Those who have not said yet what they hold, by the present ring.
    unheard: BTreeSet<MemberId>,
    /// Those who have left with the present ring, and may be dead.
    departed: BTreeSet<MemberId>,
}

impl Settling {
    /// Nobody was asked: under an empty ring that is as it should be.
    pub(super) fn new(me: MemberId, empty: Arc<Ring>) -> Self {
        let (ring, settled) = (Arc::clone(&empty), Arc::clone(&empty));
        let (unheard, departed) = (BTreeSet::new(), BTreeSet::new());
        Settling { me, empty, ring, settled, unsettled: Vec::new(), unheard, departed }
    }

    /// A new ring: all others are to be asked again. Gives back whether somebody had still something to say who is not among them.
    pub(super) fn ring_changed(&mut self, ring: Arc<Ring>, others: BTreeSet<MemberId>) -> bool {
        let former = std::mem::replace(&mut self.ring, ring);
        if !self.unheard.is_empty() {
            self.pass_unsettled(former);
        }
        let some_are_gone = !self.unheard.is_subset(&others);
        self.unheard = others;
        self.departed.clear();
        some_are_gone
    }

    /// Nothing is known for sure until the others have been asked once more.
    pub(super) fn unsettle(&mut self) {
        let others = self.ring.active_members().iter().map(|member| &member.id);
        self.unheard.extend(others.filter(|id| **id != self.me).cloned());
        self.settled = Arc::clone(&self.empty);
        self.unsettled.clear();
        self.note();
    }

    /// One has said what it holds, or cannot be asked any more. Gives back whether it had not before.
    pub(super) fn strike(&mut self, holder: &MemberId) -> bool {
        self.unheard.remove(holder)
    }

    /// If everybody has been heard, the present ring is settled.
    pub(super) fn note(&mut self) {
        if self.unheard.is_empty() {
            self.settled = Arc::clone(&self.ring);
            self.unsettled.clear();
        }
    }

    /// Whether everybody has been heard.
    pub(super) fn is_over(&self) -> bool {
        self.unheard.is_empty()
    }

    /// Whether everything is known of this slot's users: no other worker can hold a session that is not expected.
    pub(super) fn is_settled(&self, slot: Slot) -> bool {
        let is_ours = |ring: &Arc<Ring>| ring.owner_of_slot(slot) == Some(&self.me);
        self.unheard.is_empty() || (is_ours(&self.settled) && self.unsettled.iter().all(is_ours))
    }

    pub(super) fn departed(&mut self, holders: BTreeSet<MemberId>) {
        self.departed = holders;
    }

    /// Whether one of those has not said what it holds.
    pub(super) fn awaits_departed(&self) -> bool {
        self.unheard.intersection(&self.departed).next().is_some()
    }

    pub(super) fn unheard(&self) -> impl Iterator<Item = &MemberId> {
        self.unheard.iter()
    }

    /// The last ring of which all others have said what they hold, and those that have passed since: whoever owned a slot by one of
    /// them may have sessions of its users.
    pub(super) fn since_settled(&self) -> impl Iterator<Item = &Arc<Ring>> {
        std::iter::once(&self.settled).chain(&self.unsettled)
    }

    pub(super) fn owns(&self, slot: Slot) -> bool {
        self.ring.owner_of_slot(slot) == Some(&self.me)
    }

    pub(super) fn me(&self) -> &MemberId {
        &self.me
    }

    /// A ring has passed before all had said what they hold: whoever owned a slot by it may have sessions of its users.
    fn pass_unsettled(&mut self, ring: Arc<Ring>) {
        if self.unsettled.len() == UNSETTLED_MAX {
            // Nothing is known for sure any more.
            self.settled = Arc::clone(&self.empty);
            self.unsettled.clear();
        } else if self.unsettled.last().is_none_or(|last| last.version() != ring.version()) {
            self.unsettled.push(ring);
        }
    }
}
