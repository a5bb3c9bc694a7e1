//! The ring: an immutable snapshot of who owns what.

use std::fmt;

use crate::diff::RingDiff;
use crate::error::RingError;
use crate::member::{MemberId, RingMember};
use crate::placement::Placement;
use crate::roster::Roster;
use crate::slot::Slot;
use crate::snapshot;
use crate::strategy::Strategy;
use crate::table::Table;
use crate::version::RingVersion;

/// Placement for one member set: a table with the owner of each slot. Immutable; share it behind an `Arc`.
///
/// A ring without members, or with members of weight 0 only, is valid and owns nothing.
pub struct Ring {
    roster: Roster,
    placement: Placement,
    table: Table,
    version: RingVersion,
}

impl Ring {
    /// Builds a ring from its members, given in any order.
    ///
    /// # Errors
    /// [`RingError::DuplicateMember`], or [`RingError::TooManyMembers`] beyond 65,535.
    pub fn build(
        strategy: Strategy,
        members: impl IntoIterator<Item = RingMember>,
    ) -> Result<Self, RingError> {
        let roster = Roster::new(members.into_iter().collect())?;
        let (placement, table) = Placement::build(strategy, &roster);
        Ok(Self::assemble(roster, placement, table))
    }

    /// The ring of the same strategy with these members instead: exactly what [`Ring::build`] would give,
    /// sooner.
    ///
    /// With strategy `slots` the cost follows the change of weight; with `hashring` everything is built
    /// again.
    ///
    /// # Errors
    /// As [`Ring::build`].
    pub fn with_members(&self, members: impl IntoIterator<Item = RingMember>) -> Result<Self, RingError> {
        let roster = Roster::new(members.into_iter().collect())?;
        let (placement, table) = self.placement.update(&self.table, &self.roster, &roster);
        Ok(Self::assemble(roster, placement, table))
    }

    /// The ring that another process built, without building it again.
    ///
    /// The table's form is checked throughout, and its content in 256 slots spread over the table, so that a
    /// table of other members or of another specification is refused.
    ///
    /// # Errors
    /// As [`Ring::build`]; [`RingError::TableLength`], [`RingError::TableIndex`],
    /// [`RingError::TableDisagrees`].
    pub fn from_snapshot(
        strategy: Strategy,
        members: impl IntoIterator<Item = RingMember>,
        table: Vec<u16>,
    ) -> Result<Self, RingError> {
        let roster = Roster::new(members.into_iter().collect())?;
        let placement = Placement::unjudged(strategy, &roster);
        let table = Table::try_from(table)?;
        snapshot::check(&table, &placement, &roster)?;
        Ok(Self::assemble(roster, placement, table))
    }

    /// The member that owns a key, if anybody does.
    #[inline]
    pub fn owner(&self, key: &str) -> Option<&MemberId> {
        self.owner_of_slot(Slot::of(key.as_bytes()))
    }

    /// The member that owns a slot, if anybody does.
    #[inline]
    pub fn owner_of_slot(&self, slot: Slot) -> Option<&MemberId> {
        self.member_at(self.table.owner(slot))
    }

    /// The members that would own a slot after its owner, in order: the next one does as soon as the owner
    /// leaves.
    pub fn successors(&self, slot: Slot) -> Vec<&MemberId> {
        self.placement.rank(slot).into_iter().skip(1).filter_map(|index| self.member_at(index)).collect()
    }

    /// Which slots move, from whom and to whom, when `newer` takes this ring's place.
    pub fn diff(&self, newer: &Self) -> RingDiff {
        RingDiff::between(self, newer)
    }

    /// The fingerprint of strategy, ids and weights. Equal versions mean equal tables.
    pub fn version(&self) -> RingVersion {
        self.version
    }

    /// How slots are given to members.
    pub fn strategy(&self) -> Strategy {
        self.placement.strategy()
    }

    /// All members in the order of their ids' bytes, those of weight 0 included.
    pub fn members(&self) -> &[RingMember] {
        self.roster.members()
    }

    /// The members with a weight above 0 in the order of their ids' bytes: what the table's indexes point
    /// into.
    pub fn active_members(&self) -> &[RingMember] {
        self.roster.active()
    }

    /// The compiled table: for each of the 262,144 slots an index into [`Ring::active_members`], or
    /// [`NO_OWNER`](crate::NO_OWNER) everywhere if there are none.
    pub fn table(&self) -> &[u16] {
        self.table.entries()
    }

    /// XXH64 (seed 0) of the table as little-endian 16-bit numbers in slot order: 524,288 bytes.
    ///
    /// It covers who owns which slot by index, and nothing else: neither the strategy's name nor ids nor
    /// weights.
    pub fn table_digest(&self) -> u64 {
        self.table.digest()
    }

    /// Every member with the number of slots that it owns, in the order of [`Ring::members`].
    pub fn shares(&self) -> Vec<(&MemberId, u32)> {
        let slots = self.table.counts(self.active_members().len());
        let share = |id| self.roster.index_of(id).map_or(0, |index| slots[usize::from(index)]);
        self.members().iter().map(|member| (&member.id, share(&member.id))).collect()
    }

    /// How many slots a member owns: 0 if it is no member.
    pub fn slots_of(&self, id: &MemberId) -> u32 {
        let owned = |index: u16| self.table().iter().filter(|owner| **owner == index).count() as u32;
        self.roster.index_of(id).map_or(0, owned)
    }

    fn assemble(roster: Roster, placement: Placement, table: Table) -> Self {
        let version = RingVersion::of(placement.strategy(), roster.active());
        Self { roster, placement, table, version }
    }

    #[inline]
    fn member_at(&self, index: u16) -> Option<&MemberId> {
        self.roster.active().get(usize::from(index)).map(|member| &member.id)
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("strategy", &self.strategy())
            .field("version", &self.version)
            .field("members", &self.members())
            .finish_non_exhaustive()
    }
}
