//! What has arrived of one stream at one client, pure: the numbers that should rise by one.

use std::collections::BTreeSet;

/// Of how many missing numbers a ledger keeps account; beyond it they are only counted, and what comes of older ones counts as one
/// of those, whether it is or has come before.
const MISSING_MAX: usize = 100_000;

/// The account of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// The number after the highest that has arrived.
    next: u32,
    /// Lower ones that have not arrived.
    missing: BTreeSet<u32>,
    /// How many more of them there are.
    missing_more: u64,
    /// How many came once more.
    pub(crate) repeated: u64,
    /// How many came after a younger one.
    pub(crate) late: u64,
}

impl Ledger {
    /// Takes an arrival down.
    pub(crate) fn take(&mut self, number: u32) {
        if number >= self.next {
            self.skip_to(number);
            self.next = number.saturating_add(1);
        } else if self.missing.remove(&number) {
            self.late += 1;
        } else if self.missing_more > 0 {
            self.missing_more -= 1;
            self.late += 1;
        } else {
            self.repeated += 1;
        }
    }

    /// How many of so many messages have not arrived, apart from those that are excused.
    pub(crate) fn lost(&self, sent: u32, is_excused: impl Fn(u32) -> bool) -> u64 {
        let holes = self.missing.iter().copied().chain(self.next..sent);
        holes.filter(|number| !is_excused(*number)).count() as u64 + self.missing_more
    }

    fn skip_to(&mut self, number: u32) {
        let room = MISSING_MAX.saturating_sub(self.missing.len());
        let kept = number.min(self.next.saturating_add(u32::try_from(room).unwrap_or(u32::MAX)));
        self.missing.extend(self.next..kept);
        self.missing_more += u64::from(number - kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arrivals: &[u32], sent: u32, [lost, repeated, late]: [u64; 3]) {
        let mut ledger = Ledger::default();
        arrivals.iter().for_each(|number| ledger.take(*number));
        let told = [ledger.lost(sent, |_| false), ledger.repeated, ledger.late];
        assert_eq!(told, [lost, repeated, late], "{arrivals:?}");
    }

    #[test]
    fn numbers_tell_what_went_wrong() {
        check(&[], 0, [0, 0, 0]);
        check(&[], 3, [3, 0, 0]);
        check(&[0, 1, 2], 3, [0, 0, 0]);
        check(&[0, 2], 3, [1, 0, 0]);
        check(&[0, 2, 1], 3, [0, 0, 1]);
        check(&[0, 0, 1, 1, 2], 3, [0, 2, 0]);
        check(&[2, 1, 1, 0], 4, [1, 1, 2]);
    }

    #[test]
    fn what_the_sender_was_told_of_is_not_lost() {
        let mut ledger = Ledger::default();
        ledger.take(1);
        assert_eq!(ledger.lost(5, |number| number == 0 || number == 3), 2);
    }

    #[test]
    fn memory_is_bounded() {
        let mut ledger = Ledger::default();
        ledger.take(1_000_000);
        assert_eq!((ledger.missing.len(), ledger.lost(1_000_001, |_| false)), (MISSING_MAX, 1_000_000));
        (0..1_000_000).for_each(|number| ledger.take(number));
        assert_eq!((ledger.lost(1_000_001, |_| false), ledger.late, ledger.repeated), (0, 1_000_000, 0));
        ledger.take(7);
        assert_eq!(ledger.repeated, 1);
    }
}
