//! A change as it goes on, seen from the gateway.

use std::time::{Duration, Instant};

use ringway_e2e::metrics::Metrics;

use crate::site::Node;

const MOVES: &str = "ringway_gateway_moves_total";
/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long a change may take.
const WITHIN: Duration = Duration::from_secs(60);

/// When what happened, since the beginning of the change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The first session was served by its next worker.
    pub(crate) first: Duration,
    /// All of them were.
    pub(crate) served: Duration,
}

/// Watches until so many sessions more have come to another worker.
pub(crate) async fn watch(gateway: &Node, began: Instant, from: &Metrics, sessions: usize) -> Times {
    let (before, mut first) = (arrived_ever(from), None);
    loop {
        let arrived = arrived_ever(&gateway.metrics().await) - before;
        if arrived > 0.0 {
            first.get_or_insert_with(|| began.elapsed());
        }
        if let Some(first) = first.filter(|_| arrived >= sessions as f64) {
            return Times { first, served: began.elapsed() };
        }
        assert!(began.elapsed() < WITHIN, "{arrived} of {sessions} sessions have moved after {WITHIN:?}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Looks as often as `watch` does, for so long: the same work for the gateway while nothing changes.
pub(crate) async fn idle(gateway: &Node, time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        gateway.metrics().await;
        tokio::time::sleep(INTERVAL).await;
    }
}

/// How many sessions were moved, or opened again, ever.
fn arrived_ever(metrics: &Metrics) -> f64 {
    ["moved", "reopened"].iter().map(|result| metrics.sum(MOVES, &[&format!("result=\"{result}\"")])).sum()
}
