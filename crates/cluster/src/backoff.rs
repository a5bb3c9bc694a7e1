//! Pauses between attempts to reach a server again.

use std::time::Duration;

/// Random pauses, the longer the more often it failed. With full jitter, so that nodes that lost the same server do not
/// come back in step.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses of at most `first` at the beginning, doubling up to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// How long to wait after another failure.
    pub fn pause(&mut self) -> Duration {
        let bound = self.first.saturating_mul(2u32.saturating_pow(self.failures)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(rand::random::<f64>())
    }

    /// Begins anew after a success.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_one() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(first, longest);
        for bound in [100, 200, 400, 800, 1000, 1000].map(Duration::from_millis) {
            assert!(backoff.pause() <= bound, "{bound:?}");
        }
        backoff.failures = u32::MAX;
        assert!(backoff.pause() <= longest);
        backoff.reset();
        assert!(backoff.pause() <= first);
    }
}
