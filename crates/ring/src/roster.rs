//! The checked, sorted member set of a ring, and the numbering that its table uses.

use crate::error::RingError;
use crate::member::RingMember;
use crate::weight::Weight;

/// The most members of one ring: 16-bit indexes, the last of which means "nobody".
pub(crate) const MEMBERS_MAX: usize = u16::MAX as usize;

/// Members in the order of their ids' bytes. `active` are those with a weight above 0: table indexes point into it,
/// so that members which own nothing change neither a version nor a table.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    members: Box<[RingMember]>,
    active: Box<[RingMember]>,
}

impl Roster {
    /// Sorts and checks a member set.
    pub(crate) fn new(mut members: Vec<RingMember>) -> Result<Self, RingError> {
        if members.len() > MEMBERS_MAX {
            return Err(RingError::TooManyMembers { members: members.len() });
        }
        members.sort_unstable();
        if let Some(pair) = members.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(RingError::DuplicateMember { id: pair[0].id.clone() });
        }
        let active = members.iter().filter(|member| member.weight > Weight::ZERO).cloned().collect();
        Ok(Self { members: members.into(), active })
    }

    /// Every member, those of weight 0 included.
    pub(crate) fn members(&self) -> &[RingMember] {
        &self.members
    }

    /// The members that can own slots, in the order of their table indexes.
    pub(crate) fn active(&self) -> &[RingMember] {
        &self.active
    }

    /// The table index of an active member.
    pub(crate) fn index_of(&self, id: &str) -> Option<u16> {
        let position = self.active.binary_search_by(|member| member.id.as_str().cmp(id)).ok();
        position.map(|position| position as u16)
    }
}
