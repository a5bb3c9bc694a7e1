//! The standings of a contest: who leads in each slot, and with which score.

use super::block::{Block, LANES};
use super::token::Token;
use crate::slot::{SLOT_COUNT, Slot};
use crate::table::{NO_OWNER, Table};

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

    /// The standings at the end of an earlier contest.
    pub(super) fn of(table: Table, best: Box<[u32]>) -> Self {
        Self { table, best }
    }

    /// Takes a slot away from its leader.
    pub(super) fn vacate(&mut self, slot: Slot) {
        let index = slot.index() as usize;
        self.best[index] = 0;
        self.table.entries_mut()[index] = NO_OWNER;
    }

    /// Lets tokens compete in every slot.
    pub(super) fn compete_everywhere(&mut self, tokens: &[Token]) {
        let slots: Vec<Slot> = Slot::all().collect();
        self.compete_in(&slots, tokens);
    }

    /// Lets tokens compete in the given slots, block by block.
    pub(super) fn compete_in(&mut self, slots: &[Slot], tokens: &[Token]) {
        let mut block = Block::new();
        for slots in slots.chunks(LANES) {
            self.seat(slots, &mut block);
            for token in tokens {
                block.compete(*token);
            }
            self.take(slots, &block);
        }
    }

    fn seat(&self, slots: &[Slot], block: &mut Block) {
        for (lane, slot) in slots.iter().enumerate() {
            block.seat(lane, *slot, self.best[slot.index() as usize], self.table.owner(*slot));
        }
    }

    fn take(&mut self, slots: &[Slot], block: &Block) {
        let owners = self.table.entries_mut();
        for (lane, slot) in slots.iter().enumerate() {
            let index = slot.index() as usize;
            (self.best[index], owners[index]) = block.leader(lane);
        }
    }
}
