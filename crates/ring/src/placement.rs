//! What the two strategies have in common: members go in, a table comes out, and slots have a rank.

use crate::circle::Circle;
use crate::roster::Roster;
use crate::slot::Slot;
use crate::slots::Contest;
use crate::strategy::Strategy;
use crate::table::Table;

/// What a strategy remembers besides its table.
pub(crate) enum Placement {
    /// Strategy `slots`.
    Slots(Contest),
    /// Strategy `hashring`.
    Hashring(Circle),
}

impl Placement {
    /// Gives every slot to a member.
    pub(crate) fn build(strategy: Strategy, roster: &Roster) -> (Self, Table) {
        match strategy {
            Strategy::Slots => {
                let (contest, table) = Contest::build(roster);
                (Self::Slots(contest), table)
            }
            Strategy::Hashring => {
                let circle = Circle::new(roster);
                let table = circle.table();
                (Self::Hashring(circle), table)
            }
        }
    }

    /// What [`Placement::build`] would give for `new`, made from the table for `old` where that is quicker.
    pub(crate) fn update(&self, table: &Table, old: &Roster, new: &Roster) -> (Self, Table) {
        match self {
            Self::Slots(contest) => {
                let (contest, table) = contest.update(table, old, new);
                (Self::Slots(contest), table)
            }
            Self::Hashring(_) => Self::build(Strategy::Hashring, new),
        }
    }

    /// A placement whose table somebody else found.
    pub(crate) fn unjudged(strategy: Strategy, roster: &Roster) -> Self {
        match strategy {
            Strategy::Slots => Self::Slots(Contest::unjudged(roster)),
            Strategy::Hashring => Self::Hashring(Circle::new(roster)),
        }
    }

    /// Which strategy this is.
    pub(crate) fn strategy(&self) -> Strategy {
        match self {
            Self::Slots(_) => Strategy::Slots,
            Self::Hashring(_) => Strategy::Hashring,
        }
    }

    /// The table indexes of all active members in the order of their rank in a slot: the owner first.
    pub(crate) fn rank(&self, slot: Slot) -> Vec<u16> {
        match self {
            Self::Slots(contest) => contest.rank(slot),
            Self::Hashring(circle) => circle.rank(slot),
        }
    }
}
