//! The loop that everything waits for: a block of slots in which tokens compete.
//!
//! A block is small enough to stay in the first-level cache while many tokens pass over it, and its lanes are 32-bit
//! numbers of one kind, so that the compiler turns the loop into vector instructions. The law of this file: a lane's
//! result does not depend on the order in which tokens compete.

use super::score::base;
use super::token::Token;
use crate::slot::Slot;
use crate::table::NO_OWNER;

/// How many slots compete side by side. Three arrays of 4 kB each.
pub(super) const LANES: usize = 1024;

/// The leader of each of some slots: its score and its table index.
pub(super) struct Block {
    base: [u32; LANES],
    best: [u32; LANES],
    owner: [u32; LANES],
}

impl Block {
    /// A block in which nobody has competed yet.
    pub(super) fn new() -> Self {
        Self { base: [0; LANES], best: [0; LANES], owner: [u32::from(NO_OWNER); LANES] }
    }

    /// Seats a slot in a lane, with the leader it has so far.
    #[inline(always)]
    pub(super) fn seat(&mut self, lane: usize, slot: Slot, best: u32, owner: u16) {
        self.base[lane] = base(slot.index());
        self.best[lane] = best;
        self.owner[lane] = owner.into();
    }

    /// The leader in a lane: its score and its table index.
    #[inline(always)]
    pub(super) fn leader(&self, lane: usize) -> (u32, u16) {
        (self.best[lane], self.owner[lane] as u16)
    }

    /// Lets a token compete in every lane. It leads where its score is higher, or as high and its index smaller.
    #[inline]
    pub(super) fn compete(&mut self, token: Token) {
        let member = u32::from(token.member);
        for ((base, best), owner) in self.base.iter().zip(&mut self.best).zip(&mut self.owner) {
            let score = token.score(*base);
            let leads = (score > *best) | ((score == *best) & (member < *owner));
            *best = if leads { score } else { *best };
            *owner = if leads { member } else { *owner };
        }
    }
}
