//! A running test, looked at once a second: what it shows meanwhile, and the curves of its report.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::traffic::{Latency, Recorded};

/// How often it is looked at.
const BEAT: Duration = Duration::from_secs(1);

/// Values over the time of a test, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Curve(pub(crate) Vec<(f64, f64)>);

/// Something that is counted up, looked at again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    count: u64,
    at: Instant,
}

/// Percentiles of what was recorded from one look to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Percentiles {
    before: Recorded,
    pub(crate) p50: Curve,
    pub(crate) p99: Curve,
}

/// Does something, and looks at it once a second until it is done.
pub(crate) async fn beside<T>(work: impl Future<Output = T>, mut look: impl FnMut()) -> T {
    let mut work = pin!(work);
    let mut beats = interval_at(Instant::now() + BEAT, BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = beats.tick() => look(),
        }
    }
}

impl Curve {
    /// A value at a moment.
    pub(crate) fn push(&mut self, at: Duration, value: f64) {
        self.0.push((at.as_secs_f64(), value));
    }
}

impl Rate {
    /// It was so many, now.
    pub(crate) fn begin(count: u64) -> Self {
        Self { count, at: Instant::now() }
    }

    /// How many came in a second since the last look.
    pub(crate) fn of(&mut self, count: u64) -> f64 {
        let last = std::mem::replace(self, Self::begin(count));
        count.saturating_sub(last.count) as f64 / (self.at - last.at).as_secs_f64().max(1e-6)
    }
}

impl Percentiles {
    /// Looks at it, and says what is new.
    pub(crate) fn look(&mut self, at: Duration, latency: &Latency) -> String {
        let now = latency.merged();
        let before = std::mem::replace(&mut self.before, now.clone());
        let fresh = now.since(&before);
        match (fresh.millis(0.5), fresh.millis(0.99)) {
            (Some(p50), Some(p99)) => {
                self.p50.push(at, p50);
                self.p99.push(at, p99);
                format!("p50 {p50:.2} ms p99 {p99:.2} ms")
            }
            _ => "p50 – p99 –".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_looked_at_until_it_is_done() {
        let mut looks = 0;
        let done = beside(
            async {
                tokio::time::sleep(Duration::from_millis(3_500)).await;
                "done"
            },
            || looks += 1,
        );
        assert_eq!((done.await, looks), ("done", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn rates_are_those_since_the_last_look() {
        let mut rate = Rate::begin(100);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!((rate.of(300) - 100.0).abs() < 0.1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(rate.of(300).abs() < 0.1);
    }

    #[test]
    fn percentiles_are_those_since_the_last_look() {
        let (latency, mut percentiles) = (Latency::default(), Percentiles::default());
        let look = |percentiles: &mut Percentiles, at| percentiles.look(Duration::from_secs(at), &latency);
        latency.record(Duration::from_millis(1));
        look(&mut percentiles, 1);
        latency.record(Duration::from_millis(9));
        latency.record(Duration::from_millis(9));
        assert!(look(&mut percentiles, 2).starts_with("p50 9.0"));
        assert_eq!(look(&mut percentiles, 3), "p50 – p99 –");
        let rounded: Vec<_> = percentiles.p50.0.iter().map(|(at, value)| (*at, value.round())).collect();
        assert_eq!(rounded, [(1.0, 1.0), (2.0, 9.0)]);
    }
}
