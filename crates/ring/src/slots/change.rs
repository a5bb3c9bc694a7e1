//! A change of members, as the tokens that come and go.
//!
//! The law: applying a change gives exactly what a contest from the beginning would give. A token that goes
//! can only vacate slots in which it led; a token that comes can only take slots for itself; nobody else's
//! slots move.

use super::block::LANES;
use super::score::base;
use super::standings::Standings;
use super::token::Token;
use crate::roster::Roster;
use crate::slot::Slot;
use crate::table::NO_OWNER;

/// What differs between two member sets.
pub(super) struct Change {
    /// For each old table index the new one, or [`NO_OWNER`].
    renumbered: Vec<u16>,
    /// For each old table index the tokens that go.
    lost: Vec<Vec<Token>>,
    /// The tokens that come, with their new table indexes.
    gained: Vec<Token>,
}

impl Change {
    /// Compares two member sets by ids and weights.
    pub(super) fn between(old: &Roster, new: &Roster) -> Self {
        let lost = (0..).zip(old.active()).map(|(index, member)| {
            let kept = new.weight_of(&member.id).into();
            Token::of(member, index, kept..member.weight.into()).collect()
        });
        let gained = (0..).zip(new.active()).flat_map(|(index, member)| {
            let kept = old.weight_of(&member.id).into();
            Token::of(member, index, kept..member.weight.into())
        });
        let renumbered = old.active().iter().map(|member| new.index_of(&member.id).unwrap_or(NO_OWNER));
        Self { renumbered: renumbered.collect(), lost: lost.collect(), gained: gained.collect() }
    }

    /// How many tokens come and go: what the change costs, in passes over all slots.
    pub(super) fn tokens(&self) -> usize {
        self.gained.len() + self.lost.iter().map(Vec::len).sum::<usize>()
    }

    /// Brings the old standings up to date; `tokens` are all that compete after the change.
    pub(super) fn apply(&self, standings: &mut Standings, tokens: &[Token]) {
        let vacated = self.vacated(standings);
        self.renumber(standings.table.entries_mut());
        standings.compete_anew(&vacated, tokens);
        standings.compete(&self.gained);
    }

    /// The slots that were won by a token that goes.
    fn vacated(&self, old: &Standings) -> Vec<Slot> {
        if self.lost.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        let mut slots = self.owned_by_losers(old.table.entries());
        slots.retain(|slot| {
            let won = old.best[slot.index() as usize];
            let lost = &self.lost[usize::from(old.table.owner(*slot))];
            lost.iter().any(|token| token.score(base(slot.index())) == won)
        });
        slots
    }

    /// The slots of all members that lose a token. Owners follow each other at random, so there is no branch
    /// here that a processor could guess wrongly: every slot is written down, and the next one overwrites it
    /// if it was not meant.
    fn owned_by_losers(&self, owners: &[u16]) -> Vec<Slot> {
        let loses: Vec<bool> = self.lost.iter().map(|tokens| !tokens.is_empty()).collect();
        let mut owned = Vec::new();
        let mut slots = Slot::all();
        for owners in owners.chunks(LANES) {
            let (mut batch, mut found) = ([Slot::FIRST; LANES], 0);
            for (owner, slot) in owners.iter().zip(slots.by_ref()) {
                batch[found] = slot;
                found += usize::from(loses[usize::from(*owner)]);
            }
            owned.extend_from_slice(&batch[..found]);
        }
        owned
    }

    fn renumber(&self, owners: &mut [u16]) {
        if self.renumbered.iter().copied().eq(0..self.renumbered.len() as u16) {
            return;
        }
        for owner in owners {
            *owner = self.renumbered.get(usize::from(*owner)).copied().unwrap_or(NO_OWNER);
        }
    }
}
