//! How long to wait before the next attempt: full jitter from the first one on, so that clients that lost their sockets
//! together do not come back together.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::config::BackoffConfig;

/// How much hurry there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hurry {
    Now,
    Later,
}

#[derive(Debug)]
pub(crate) struct Backoff {
    config: BackoffConfig,
    random: StdRng,
    /// Attempts since a connection lasted.
    attempts: u32,
}

impl Backoff {
    pub(crate) fn new(config: BackoffConfig, seed: u64) -> Self {
        Backoff { config, random: StdRng::seed_from_u64(seed), attempts: 0 }
    }

    /// The delay before the next attempt.
    pub(crate) fn delay(&mut self, hurry: Hurry) -> Duration {
        let bound = self.bound(hurry);
        self.attempts = self.attempts.saturating_add(1);
        bound.mul_f64(self.random.random_range(0.0..=1.0))
    }

    /// A connection has ended that lasted so long.
    pub(crate) fn lasted(&mut self, time: Duration) {
        if time >= self.config.settled_after {
            self.attempts = 0;
        }
    }

    fn bound(&self, hurry: Hurry) -> Duration {
        let first = match hurry {
            Hurry::Now => self.config.first,
            Hurry::Later => self.config.later,
        };
        let factor = 2_u32.saturating_pow(self.attempts);
        first.saturating_mul(factor).min(self.config.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_highest_and_begins_anew_after_a_connection_that_lasted() {
        let config = BackoffConfig::default();
        let mut backoff = Backoff::new(config.clone(), 7);
        let mut bounds = Vec::new();
        for _ in 0..100 {
            let bound = backoff.bound(Hurry::Now);
            assert!(backoff.delay(Hurry::Now) <= bound);
            bounds.push(bound.as_millis());
        }
        assert_eq!(bounds[..8], [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        backoff.lasted(config.settled_after / 2);
        assert_eq!(backoff.bound(Hurry::Now), config.max);
        backoff.lasted(config.settled_after);
        assert_eq!(backoff.bound(Hurry::Now), config.first);
        assert_eq!(backoff.bound(Hurry::Later), config.later);
    }

    #[test]
    fn clients_do_not_come_back_together() {
        let first = |seed| Backoff::new(BackoffConfig::default(), seed).delay(Hurry::Now).as_millis() / 50;
        let tenths: std::collections::BTreeSet<_> = (0..200).map(first).collect();
        assert!(tenths.len() >= 10, "{tenths:?}");
    }
}
