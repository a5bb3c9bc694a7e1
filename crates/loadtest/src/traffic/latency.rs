//! Latencies in HdrHistograms, which many tasks record without waiting for each other, and which are merged in the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// How many histograms tasks share.
const SHARDS: usize = 4;

/// The bounds, in nanoseconds, with three digits.
const LOWEST: u64 = 1_000;
const HIGHEST: u64 = 300_000_000_000;

/// What was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Recorded(Histogram<u64>);

/// Where latencies are recorded.
#[derive(Debug)]
pub(crate) struct Latency {
    shards: [Mutex<Histogram<u64>>; SHARDS],
}

impl Latency {
    /// Takes one down.
    pub(crate) fn record(&self, latency: Duration) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        }
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.shards[SHARD.with(|shard| *shard)].lock().saturating_record(nanos.max(LOWEST));
    }

    /// All that were recorded so far.
    pub(crate) fn merged(&self) -> Recorded {
        let mut all = histogram();
        for shard in &self.shards {
            all.add(&*shard.lock()).expect("the same bounds");
        }
        Recorded(all)
    }
}

impl Recorded {
    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency below which this part of all is, in milliseconds; none: nothing was recorded.
    pub(crate) fn millis(&self, quantile: f64) -> Option<f64> {
        (self.count() > 0).then(|| self.0.value_at_quantile(quantile) as f64 / 1e6)
    }

    /// The mean, in milliseconds.
    pub(crate) fn mean_millis(&self) -> f64 {
        self.0.mean() / 1e6
    }

    /// What is new since then.
    pub(crate) fn since(mut self, before: &Self) -> Self {
        // It holds everything that was there before.
        self.0.subtract(&before.0).expect("it only grows");
        self
    }
}

impl Default for Recorded {
    fn default() -> Self {
        Self(histogram())
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::new(histogram())) }
    }
}

/// An empty one, in nanoseconds.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST, HIGHEST, 3).expect("bounds in order")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_merged() {
        let latency = Latency::default();
        std::thread::scope(|scope| {
            for thread in 1..=SHARDS as u64 + 1 {
                let latency = &latency;
                scope.spawn(move || (0..10).for_each(|_| latency.record(Duration::from_micros(thread))));
            }
        });
        let all = latency.merged();
        assert_eq!(all.count(), 10 * (SHARDS as u64 + 1));
        assert_eq!(all.0.max() / 1_000, SHARDS as u64 + 1);
    }

    #[test]
    fn what_is_out_of_bounds_counts_as_the_bound() {
        let latency = Latency::default();
        latency.record(Duration::ZERO);
        latency.record(Duration::from_secs(100_000));
        let all = latency.merged();
        assert_eq!(all.count(), 2);
        assert!(all.0.max() >= HIGHEST);
        assert_eq!(Recorded::default().millis(0.5), None);
    }
}
