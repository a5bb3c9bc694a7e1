//! Tokens: a member enters the contest for a slot once for each unit of its weight.

use std::ops::Range;

use super::score::score;
use crate::hash::numbered;
use crate::member::RingMember;

/// One entry of a member in the contest for every slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    low: u32,
    high: u32,
    /// The member's table index.
    pub(super) member: u16,
}

impl Token {
    /// The tokens with the given numbers of the member with the given table index.
    pub(super) fn of(
        member: &RingMember,
        index: u16,
        numbers: Range<u32>,
    ) -> impl Iterator<Item = Self> + use<> {
        numbered(member.id.as_str(), numbers).map(move |hash| Self {
            low: hash as u32,
            high: (hash >> 32) as u32,
            member: index,
        })
    }

    /// Every token of every member, in the order of table indexes.
    pub(super) fn of_all(active: &[RingMember]) -> Vec<Self> {
        let numbered = (0..).zip(active);
        numbered.flat_map(|(index, member)| Self::of(member, index, 0..member.weight.into())).collect()
    }

    /// The token's score in the slot with this base.
    #[inline(always)]
    pub(super) fn score(&self, base: u32) -> u32 {
        score(base, self.low, self.high)
    }
}
