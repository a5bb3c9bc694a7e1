//! Strategy `slots`: weighted rendezvous hashing over a fixed number of slots.
//!
//! Every token scores in every slot, and the member of the highest score owns it. The best scores are kept,
//! so that a change of members costs one pass for each token that came and a new contest only in the slots
//! that lost theirs (see `change.rs`).

mod block;
mod change;
mod score;
mod standings;
mod token;

use std::cmp::Reverse;

use self::change::Change;
use self::standings::Standings;
use self::token::Token;
use crate::roster::Roster;
use crate::slot::Slot;
use crate::table::Table;

/// The contest of all tokens in all slots, as far as a ring has to remember it.
pub(crate) struct Contest {
    tokens: Vec<Token>,
    /// The score with which each slot was won. A contest that was judged elsewhere has none.
    best: Option<Box<[u32]>>,
}

impl Contest {
    /// Holds the contest: one score for each token in each slot.
    pub(crate) fn build(roster: &Roster) -> (Self, Table) {
        let tokens = Token::of_all(roster.active());
        let mut standings = Standings::open();
        standings.compete(&tokens);
        Self::judged(tokens, standings)
    }

    /// The contest whose outcome somebody else found: the ranks are known, the winning scores are not.
    pub(crate) fn unjudged(roster: &Roster) -> Self {
        Self { tokens: Token::of_all(roster.active()), best: None }
    }

    /// What [`Contest::build`] would give for `new`, made from the outcome for `old`.
    pub(crate) fn update(&self, table: &Table, old: &Roster, new: &Roster) -> (Self, Table) {
        let tokens = Token::of_all(new.active());
        let change = Change::between(old, new);
        match &self.best {
            Some(best) if change.tokens() < tokens.len() => {
                let mut standings = Standings { table: table.clone(), best: best.clone() };
                change.apply(&mut standings, &tokens);
                Self::judged(tokens, standings)
            }
            _ => Self::build(new),
        }
    }

    /// The table indexes of all active members in the order of their rank in a slot: the owner first.
    pub(crate) fn rank(&self, slot: Slot) -> Vec<u16> {
        let base = score::base(slot.index());
        let members = self.tokens.chunk_by(|a, b| a.member == b.member);
        let mut ranked: Vec<_> = members
            .map(|tokens| (Reverse(tokens.iter().map(|token| token.score(base)).max()), tokens[0].member))
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, member)| member).collect()
    }

    fn judged(tokens: Vec<Token>, standings: Standings) -> (Self, Table) {
        (Self { tokens, best: Some(standings.best) }, standings.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::{MemberId, RingMember};

    /// Found by search: in slot 253,788 the only tokens of these two members score the same.
    const TIED: ([&str; 2], u32) = (["worker-1", "worker-4664"], 253_788);

    fn contest(ids: &[&str]) -> (Roster, Contest, Table) {
        let members = ids.iter().map(|id| RingMember::new(MemberId::new(id).unwrap()));
        let roster = Roster::new(members.collect()).unwrap();
        let (contest, table) = Contest::build(&roster);
        (roster, contest, table)
    }

    #[test]
    fn a_tie_goes_to_the_lesser_id_however_the_ring_came_about() {
        let ([lesser, greater], index) = TIED;
        let slot = Slot::new(index).unwrap();
        let best = |contest: &Contest| contest.best.as_ref().map(|best| best[index as usize]);
        let (both, tied, table) = contest(&[greater, lesser]);
        for id in [lesser, greater] {
            let (alone, earlier, earlier_table) = contest(&[id]);
            assert_eq!(best(&earlier), best(&tied), "{id} scores what the winner scores");
            let (_, joined) = earlier.update(&earlier_table, &alone, &both);
            assert_eq!(joined.owner(slot), 0, "after the other one joined {id}");
        }
        assert_eq!((table.owner(slot), tied.rank(slot)), (0, vec![0, 1]));
    }
}
