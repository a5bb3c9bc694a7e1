//! The gateway's histogram of pauses: how much it grew between two moments.

use ringway_e2e::metrics::Metrics;

const PAUSES: &str = "ringway_gateway_move_pause_seconds";

/// The growth of a histogram's buckets.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    /// Upper bounds in milliseconds, and how many values are at or below them.
    cumulative: Vec<(f64, f64)>,
    /// The mean in milliseconds.
    pub(crate) mean: f64,
}

impl Buckets {
    pub(crate) fn between(from: &Metrics, to: &Metrics) -> Self {
        let grown = |name: &str| to.sum(name, &[]) - from.sum(name, &[]);
        let [sum, count] = ["sum", "count"].map(|part| grown(&format!("{PAUSES}_{part}")));
        let before = from.buckets(PAUSES);
        // A histogram without values is not there yet.
        let was = |place: usize| before.get(place).map_or(0.0, |(_, count)| *count);
        let now = to.buckets(PAUSES).into_iter().enumerate();
        let cumulative = now.map(|(place, (bound, count))| (bound * 1e3, count - was(place))).collect();
        Self { cumulative, mean: sum / count * 1e3 }
    }

    /// The bound of the bucket in which this part of the values ends.
    pub(crate) fn at(&self, part: f64) -> f64 {
        let all = self.cumulative.last().map_or(0.0, |(_, count)| *count);
        let within = self.cumulative.iter().find(|(_, count)| *count >= all * part);
        within.map_or(f64::INFINITY, |(bound, _)| *bound)
    }
}
