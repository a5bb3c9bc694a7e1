//! The difference between two rings: which slots move, from whom and to whom.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::member::MemberId;
use crate::ring::Ring;
use crate::slot::Slot;
use crate::version::RingVersion;

/// The slots that change their owner when one ring takes another's place.
#[derive(Clone, Debug)]
pub struct RingDiff {
    from: Side,
    to: Side,
    moved: Vec<Moved>,
}

/// One ring of the comparison, as far as the difference needs it.
#[derive(Clone, Debug)]
struct Side {
    version: RingVersion,
    ids: Vec<MemberId>,
}

/// A moved slot, by the table indexes of both rings.
#[derive(Clone, Copy, Debug)]
struct Moved {
    slot: Slot,
    from: u16,
    to: u16,
}

/// One slot's move. A side without a member is an empty ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SlotMove<'a> {
    /// The slot that moves.
    pub slot: Slot,
    /// Who owned it.
    pub from: Option<&'a MemberId>,
    /// Who owns it now.
    pub to: Option<&'a MemberId>,
}

/// How much moves from one member to another.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Flow {
    /// Who gives slots away; nobody if the older ring is empty.
    pub from: Option<MemberId>,
    /// Who takes them; nobody if the newer ring is empty.
    pub to: Option<MemberId>,
    /// How many slots move.
    pub slots: u32,
}

/// A difference in figures, for people and for logs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct DiffSummary {
    /// The older ring.
    pub from_version: RingVersion,
    /// The newer ring.
    pub to_version: RingVersion,
    /// How many of the 262,144 slots change their owner.
    pub slots_moved: u32,
    /// The same by giver and taker, in the order of their ids.
    pub flows: Vec<Flow>,
}

impl RingDiff {
    pub(crate) fn between(older: &Ring, newer: &Ring) -> Self {
        let (from, to) = (Side::of(older), Side::of(newer));
        let kept: Vec<Option<u16>> = from.ids.iter().map(|id| to.index_of(id)).collect();
        let stays =
            |from: u16, to: u16| kept.get(usize::from(from)).map_or(from == to, |kept| *kept == Some(to));
        let owners = older.table().iter().zip(newer.table());
        let moved = Slot::all()
            .zip(owners)
            .filter(|(_, (from, to))| !stays(**from, **to))
            .map(|(slot, (from, to))| Moved { slot, from: *from, to: *to })
            .collect();
        Self { from, to, moved }
    }

    /// Whether every slot stays where it is.
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty()
    }

    /// How many slots change their owner.
    pub fn slots_moved(&self) -> u32 {
        self.moved.len() as u32
    }

    /// Every slot that changes its owner, in slot order.
    pub fn moves(&self) -> impl ExactSizeIterator<Item = SlotMove<'_>> {
        self.moved.iter().map(|moved| SlotMove {
            slot: moved.slot,
            from: self.from.id(moved.from),
            to: self.to.id(moved.to),
        })
    }

    /// How many slots move between each two members, in the order of their ids.
    pub fn flows(&self) -> Vec<Flow> {
        let mut slots = BTreeMap::<(u16, u16), u32>::new();
        for moved in &self.moved {
            *slots.entry((moved.from, moved.to)).or_default() += 1;
        }
        let flow = |((from, to), slots)| Flow {
            from: self.from.id(from).cloned(),
            to: self.to.id(to).cloned(),
            slots,
        };
        slots.into_iter().map(flow).collect()
    }

    /// The difference in figures.
    pub fn summary(&self) -> DiffSummary {
        DiffSummary {
            from_version: self.from.version,
            to_version: self.to.version,
            slots_moved: self.slots_moved(),
            flows: self.flows(),
        }
    }
}

impl Side {
    fn of(ring: &Ring) -> Self {
        let ids = ring.active_members().iter().map(|member| member.id.clone()).collect();
        Self { version: ring.version(), ids }
    }

    fn id(&self, index: u16) -> Option<&MemberId> {
        self.ids.get(usize::from(index))
    }

    /// The member's table index, if it has one.
    fn index_of(&self, id: &MemberId) -> Option<u16> {
        self.ids.binary_search(id).ok().map(|index| index as u16)
    }
}
