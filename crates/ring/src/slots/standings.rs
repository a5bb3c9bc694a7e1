//! The standings of a contest: who leads in each slot, and with which score.

use super::block::{Block, LANES};
use super::token::Token;
use crate::slot::{SLOT_COUNT, Slot};
use crate::table::Table;

/// Each slot's leader and its score.
pub(super) struct Standings {
    pub(super) table: Table,
    pub(super) best: Box<[u32]>,
}

impl Standings {
    /// Nobody has competed yet.
    pub(super) fn open() -> Self {
        Self { table: Table::unowned(), best: vec![0; SLOT_COUNT].into() }
    }

    /// Lets more tokens compete in every slot.
    pub(super) fn compete(&mut self, tokens: &[Token]) {
        if tokens.is_empty() {
            return;
        }
        let mut block = Block::new();
        let mut slots = Slot::all();
        let leaders = self.best.chunks_mut(LANES).zip(self.table.entries_mut().chunks_mut(LANES));
        for (best, owners) in leaders {
            block.open(slots.by_ref().take(LANES));
            block.restore(best, owners);
            block.compete(tokens);
            for (leader, (best, owner)) in block.leaders().zip(best.iter_mut().zip(owners)) {
                (*best, *owner) = leader;
            }
        }
    }

    /// Forgets who leads in these slots, and lets tokens compete in them from the beginning.
    pub(super) fn compete_anew(&mut self, slots: &[Slot], tokens: &[Token]) {
        let mut block = Block::new();
        let owners = self.table.entries_mut();
        for slots in slots.chunks(LANES) {
            block.open(slots.iter().copied());
            block.compete(tokens);
            for (slot, leader) in slots.iter().zip(block.leaders()) {
                let index = slot.index() as usize;
                (self.best[index], owners[index]) = leader;
            }
        }
    }
}
