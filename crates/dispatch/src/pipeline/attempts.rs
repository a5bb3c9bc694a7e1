//! When a failed call is made again, and after which pause.
//!
//! The law: a call that may have been carried out is repeated only if the caller asked for that.

use std::time::Duration;

use ringway_proto::{Reason, Retry};
use tokio::time::Instant;

/// What a caller allows.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// When it must have come to its end.
    pub deadline: Instant,
    /// Whether a call that may have been carried out may be made again.
    pub retry_ambiguous: bool,
}

impl Allowance {
    /// Whether a call that failed like this may be made again.
    pub fn permits(&self, reason: Reason) -> bool {
        match reason.retry() {
            Retry::Safe => true,
            Retry::Ambiguous => self.retry_ambiguous,
            Retry::Never => false,
        }
    }
}

/// What is known of a call so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many were made.
    pub count: u32,
    /// Whether one of them may have been carried out.
    pub maybe_delivered: bool,
}

impl Attempts {
    /// Notes an attempt that failed.
    pub fn failed(&mut self, reason: Reason) {
        self.count += 1;
        self.maybe_delivered |= is_ambiguous(reason);
    }
}

/// Whether a call that failed like this may have been carried out.
fn is_ambiguous(reason: Reason) -> bool {
    reason.retry() == Retry::Ambiguous || reason == Reason::Internal
}

/// The pauses between attempts: a random part of a bound that doubles with each attempt (full jitter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// The bound of the first pause.
    pub first_max: Duration,
    /// The bound of all pauses.
    pub max: Duration,
}

impl Default for Pauses {
    /// 25 ms, and 1 s.
    fn default() -> Self {
        Pauses { first_max: Duration::from_millis(25), max: Duration::from_secs(1) }
    }
}

impl Pauses {
    /// The pause after this many failed attempts.
    pub fn after(&self, failed: u32) -> Duration {
        let doublings = failed.saturating_sub(1).min(16);
        let bound = self.first_max.saturating_mul(1 << doublings).min(self.max);
        bound.mul_f64(rand::random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_below_a_bound_that_doubles() {
        let pauses = Pauses { first_max: Duration::from_millis(10), max: Duration::from_millis(50) };
        for (failed, bound_ms) in [(1, 10), (2, 20), (3, 40), (4, 50), (u32::MAX, 50)] {
            let drawn: Vec<_> = (0..200).map(|_| pauses.after(failed)).collect();
            assert!(drawn.iter().all(|pause| *pause <= Duration::from_millis(bound_ms)), "{failed}");
            assert!(drawn.iter().any(|pause| *pause > Duration::from_millis(bound_ms) / 2), "{failed}");
        }
    }

    #[test]
    fn only_what_surely_was_not_carried_out_is_repeated_unasked() {
        let cases = [
            (Reason::NotOwner, true, true),
            (Reason::Unreachable, true, true),
            (Reason::Overloaded, true, true),
            (Reason::ConnectionLost, false, true),
            (Reason::DeadlineExceeded, false, true),
            (Reason::InvalidArgument, false, false),
            (Reason::Internal, false, false),
        ];
        for (reason, unasked, asked) in cases {
            let permits =
                |retry_ambiguous| Allowance { deadline: Instant::now(), retry_ambiguous }.permits(reason);
            assert_eq!((permits(false), permits(true)), (unasked, asked), "{reason:?}");
        }
    }

    #[test]
    fn one_ambiguous_attempt_leaves_a_doubt() {
        let mut attempts = Attempts::default();
        attempts.failed(Reason::NotOwner);
        assert!(!attempts.maybe_delivered);
        attempts.failed(Reason::ConnectionLost);
        attempts.failed(Reason::Unreachable);
        assert!(attempts.maybe_delivered);
        assert_eq!(attempts.count, 3);
    }
}
