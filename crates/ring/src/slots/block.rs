//! The loop that everything waits for: a block of slots in which tokens compete.
//!
//! A block is small enough to stay in the first-level cache while many tokens pass over it, and its lanes are
//! 32-bit numbers of one kind, so that the compiler turns the loop into vector instructions. `dispatch!`
//! compiles it once for each instruction set (SSE2, AVX2, AVX-512, NEON, ...) and takes the best that the
//! processor has. The law of this file: a lane's result depends neither on the instruction set nor on the
//! order in which tokens compete.

use fearless_simd::{Level, dispatch};

use super::score::base;
use super::token::Token;
use crate::slot::Slot;
use crate::table::NO_OWNER;

/// How many slots compete side by side: three arrays of 4 kB each.
pub(super) const LANES: usize = 1024;

/// The leader of each of some slots: its score and its table index.
pub(super) struct Block {
    base: [u32; LANES],
    best: [u32; LANES],
    owner: [u32; LANES],
}

impl Block {
    /// A block whose lanes stand for no slots yet.
    pub(super) fn new() -> Self {
        Self { base: [0; LANES], best: [0; LANES], owner: [0; LANES] }
    }

    /// Gives the first lanes to these slots, in which nobody has competed yet.
    pub(super) fn open(&mut self, slots: impl Iterator<Item = Slot>) {
        for (lane, slot) in self.base.iter_mut().zip(slots) {
            *lane = base(slot.index());
        }
        self.best.fill(0);
        self.owner.fill(NO_OWNER.into());
    }

    /// Puts leaders from an earlier contest into the first lanes.
    pub(super) fn restore(&mut self, best: &[u32], owners: &[u16]) {
        self.best[..best.len()].copy_from_slice(best);
        for (lane, owner) in self.owner.iter_mut().zip(owners) {
            *lane = u32::from(*owner);
        }
    }

    /// Lets each of the tokens compete in every lane.
    pub(super) fn compete(&mut self, tokens: &[Token]) {
        dispatch!(Level::new(), _simd => self.pass_each(tokens));
    }

    /// The leader of each lane, from the first: its score and its table index.
    pub(super) fn leaders(&self) -> impl Iterator<Item = (u32, u16)> {
        self.best.iter().zip(&self.owner).map(|(best, owner)| (*best, *owner as u16))
    }

    #[inline(always)]
    fn pass_each(&mut self, tokens: &[Token]) {
        for token in tokens {
            self.pass(*token);
        }
    }

    /// The token leads where its score is higher, or as high and its index smaller.
    #[inline(always)]
    fn pass(&mut self, token: Token) {
        let member = u32::from(token.member);
        for ((base, best), owner) in self.base.iter().zip(&mut self.best).zip(&mut self.owner) {
            let score = token.score(*base);
            let leads = (score > *best) | ((score == *best) & (member < *owner));
            *best = if leads { score } else { *best };
            *owner = if leads { member } else { *owner };
        }
    }
}
