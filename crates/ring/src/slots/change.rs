//! A change of members, as the tokens that come and go.
//!
//! The law: applying a change gives exactly what a contest from the beginning would give. A token that goes can only
//! vacate slots in which it led; a token that comes can only take slots for itself; nobody else's slots move.

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
        let weight_in = |roster: &Roster, id: &str| -> u32 {
            roster.index_of(id).map_or(0, |index| roster.active()[usize::from(index)].weight.into())
        };
        let lost = (0..).zip(old.active()).map(|(index, member)| {
            let kept = weight_in(new, member.id.as_str());
            Token::of(member, index, kept..member.weight.into()).collect()
        });
        let gained = (0..).zip(new.active()).flat_map(|(index, member)| {
            let kept = weight_in(old, member.id.as_str());
            Token::of(member, index, kept..member.weight.into())
        });
        let renumbered =
            old.active().iter().map(|member| new.index_of(member.id.as_str()).unwrap_or(NO_OWNER));
        Self { renumbered: renumbered.collect(), lost: lost.collect(), gained: gained.collect() }
    }

    /// How many tokens come and go: what the change costs, in passes over all slots.
    pub(super) fn tokens(&self) -> usize {
        self.gained.len() + self.lost.iter().map(Vec::len).sum::<usize>()
    }

    /// The standings after the change, in which `tokens` are all that compete.
    pub(super) fn apply(&self, mut standings: Standings, tokens: &[Token]) -> Standings {
        let vacated: Vec<Slot> = Slot::all().filter(|slot| self.vacates(*slot, &standings)).collect();
        self.renumber(standings.table.entries_mut());
        for slot in &vacated {
            standings.vacate(*slot);
        }
        standings.compete_in(&vacated, tokens);
        standings.compete_everywhere(&self.gained);
        standings
    }

    /// Whether the slot was won by a token that goes.
    fn vacates(&self, slot: Slot, old: &Standings) -> bool {
        let won = old.best[slot.index() as usize];
        let owner = usize::from(old.table.owner(slot));
        let lost = self.lost.get(owner).map_or(&[][..], Vec::as_slice);
        lost.iter().any(|token| token.score(base(slot.index())) == won)
    }

    fn renumber(&self, owners: &mut [u16]) {
        for owner in owners {
            *owner = self.renumbered.get(usize::from(*owner)).copied().unwrap_or(NO_OWNER);
        }
    }
}
