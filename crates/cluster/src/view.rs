//! A view: the members at one moment, and the ring that they give. Immutable; shared behind one `Arc`.
//!
//! Whoever places a call takes one view and asks only that one: members, ring and version inside a view always agree,
//! two views may not. A change that does not touch placement (a label, say) gives a new view with the same ring.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ringway_ring::{MemberId, Ring, RingError, RingHistory, RingMember, RingVersion, Slot, Strategy};

use crate::member::Member;
use crate::registry::MemberList;

/// Of how many rings a view remembers the version, its own included.
const RINGS_MAX: usize = 8;

/// One snapshot of the cluster.
pub struct View {
    members: MemberList,
    history: Arc<RingHistory>,
    /// For each index in the ring's table the position of that member in `members`.
    positions: Box<[usize]>,
    table: OnceLock<TableBytes>,
}

/// The compiled table as it travels, made once for all who ask.
#[derive(Clone)]
pub(crate) struct TableBytes {
    pub(crate) bytes: Bytes,
    pub(crate) digest: u64,
}

impl View {
    /// The view of these members, given in any order. Its history begins here.
    ///
    /// # Errors
    /// [`RingError::DuplicateMember`], or [`RingError::TooManyMembers`].
    pub fn build(strategy: Strategy, members: impl IntoIterator<Item = Member>) -> Result<Self, RingError> {
        let members = sorted(members)?;
        let ring = Ring::build(strategy, on_ring(&members))?;
        Ok(Self::assemble(members, RingHistory::new(Arc::new(ring), RINGS_MAX).into()))
    }

    /// The view of a cluster without members.
    pub fn empty(strategy: Strategy) -> Self {
        Self::build(strategy, []).expect("no members are no duplicates and not too many")
    }

    /// The view of a ring that another process built from these members.
    pub(crate) fn of_ring(
        members: impl IntoIterator<Item = Member>,
        build: impl FnOnce(Vec<RingMember>) -> Result<Ring, RingError>,
    ) -> Result<Self, RingError> {
        let members = sorted(members)?;
        let ring = build(on_ring(&members))?;
        Ok(Self::assemble(members, RingHistory::new(Arc::new(ring), RINGS_MAX).into()))
    }

    /// The view that follows this one when these are the members. The ring is updated, not built again, and stays the
    /// same `Arc` if placement does not change.
    ///
    /// # Errors
    /// As [`View::build`].
    pub fn with_members(&self, members: impl IntoIterator<Item = Member>) -> Result<Self, RingError> {
        let members = sorted(members)?;
        let on_ring = on_ring(&members);
        if on_ring == self.ring().members() {
            return Ok(Self::assemble(members, Arc::clone(&self.history)));
        }
        let ring = self.ring().with_members(on_ring)?;
        let mut history = RingHistory::clone(&self.history);
        history.push(Arc::new(ring));
        Ok(Self::assemble(members, history.into()))
    }

    /// The fingerprint of the ring. Views of one version place every key alike.
    pub fn version(&self) -> RingVersion {
        self.ring().version()
    }

    /// The ring that the active members give.
    pub fn ring(&self) -> &Arc<Ring> {
        self.history.current()
    }

    /// The ring, and the versions of the few before it.
    pub fn history(&self) -> &RingHistory {
        &self.history
    }

    /// The member that owns a user or a group, if there is any active one.
    #[inline]
    pub fn owner(&self, key: &str) -> Option<&Member> {
        self.owner_of_slot(Slot::of(key.as_bytes()))
    }

    /// The member that owns a slot, if there is any active one.
    #[inline]
    pub fn owner_of_slot(&self, slot: Slot) -> Option<&Member> {
        let index = *self.ring().table().get(slot.index() as usize)?;
        self.members.get(*self.positions.get(usize::from(index))?)
    }

    /// The member of this name, whatever it is doing.
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        position(&self.members, id).and_then(|position| self.members.get(position))
    }

    /// All members by id: also those that join, drain, or weigh nothing.
    pub fn workers(&self) -> &[Member] {
        &self.members
    }

    /// The same list, to be kept.
    pub fn members(&self) -> &MemberList {
        &self.members
    }

    /// The compiled table and its digest.
    pub(crate) fn table(&self) -> &TableBytes {
        self.table.get_or_init(|| TableBytes {
            bytes: self.ring().table().iter().flat_map(|index| index.to_le_bytes()).collect(),
            digest: self.ring().table_digest(),
        })
    }

    fn assemble(members: MemberList, history: Arc<RingHistory>) -> Self {
        let active = history.current().active_members().iter();
        let positions = active.filter_map(|active| position(&members, &active.id)).collect();
        Self { members, history, positions, table: OnceLock::new() }
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("version", &self.version())
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

fn sorted(members: impl IntoIterator<Item = Member>) -> Result<MemberList, RingError> {
    let mut members: Vec<_> = members.into_iter().collect();
    members.sort_by(|a, b| a.id.cmp(&b.id));
    match members.windows(2).find(|pair| pair[0].id == pair[1].id) {
        Some(pair) => Err(RingError::DuplicateMember { id: pair[0].id.clone() }),
        None => Ok(members.into()),
    }
}

fn on_ring(members: &[Member]) -> Vec<RingMember> {
    members.iter().filter_map(Member::on_ring).collect()
}

fn position(members: &[Member], id: &MemberId) -> Option<usize> {
    members.binary_search_by(|member| member.id.cmp(id)).ok()
}
