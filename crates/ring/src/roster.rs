//! The checked, sorted member set of a ring, and the numbering that its table uses.

use crate::error::RingError;
use crate::member::{MemberId, RingMember};
use crate::weight::Weight;

/// The most members of one ring: 16-bit indexes, the last of which means "nobody".
pub(crate) const MEMBERS_MAX: usize = u16::MAX as usize;

/// Members in the order of their ids' bytes. `active` are those with a weight above 0: table indexes point
/// into it, so that members which own nothing change neither a version nor a table.
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
    pub(crate) fn index_of(&self, id: &MemberId) -> Option<u16> {
        let position = self.active.binary_search_by_key(&id, |member| &member.id).ok();
        position.map(|position| position as u16)
    }

    /// The weight of a member, 0 if it is none.
    pub(crate) fn weight_of(&self, id: &MemberId) -> Weight {
        self.index_of(id).map_or(Weight::ZERO, |index| self.active[usize::from(index)].weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(ids: &[(&str, u32)]) -> Vec<RingMember> {
        let member = |(id, weight): &(&str, u32)| RingMember {
            id: MemberId::new(id).unwrap(),
            weight: Weight::new(*weight).unwrap(),
        };
        ids.iter().map(member).collect()
    }

    #[test]
    fn members_are_sorted_and_only_those_with_weight_have_an_index() {
        let roster = Roster::new(members(&[("c", 2), ("b", 0), ("a", 1)])).unwrap();
        assert_eq!(roster.members(), members(&[("a", 1), ("b", 0), ("c", 2)]));
        let indexes = ["a", "b", "c", "d"].map(|id| roster.index_of(&MemberId::new(id).unwrap()));
        assert_eq!(indexes, [Some(0), None, Some(1), None]);
    }

    #[test]
    fn an_id_may_occur_once_whatever_its_weight() {
        let twice = Roster::new(members(&[("b", 1), ("a", 1), ("b", 0)]));
        assert_eq!(twice.unwrap_err(), RingError::DuplicateMember { id: MemberId::new("b").unwrap() });
    }

    #[test]
    fn the_last_16_bit_index_stays_free() {
        let many = |count: usize| {
            Roster::new((0..count).map(|n| RingMember::new(MemberId::new(n.to_string()).unwrap())).collect())
        };
        assert_eq!(many(65_535).unwrap().active().len(), 65_535);
        assert_eq!(many(65_536).unwrap_err(), RingError::TooManyMembers { members: 65_536 });
    }
}
