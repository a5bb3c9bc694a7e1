//! A process's metrics, as Prometheus reads them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::{PATIENCE, http};

/// How often metrics are read while waiting for a value: they can only be asked for.
const INTERVAL: Duration = Duration::from_millis(50);

/// All series at one moment.
#[derive(Clone, Debug)]
pub struct Metrics(Vec<(String, f64)>);

impl Metrics {
    /// Reads the metrics of the process whose status server is here.
    pub async fn of(status: SocketAddr) -> Self {
        let answer = http::get(status, "/metrics").await;
        assert_eq!(answer.status, 200, "{status}/metrics: {}", answer.body);
        let series = answer.body.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Self(series.collect())
    }

    /// The sum of a metric's series that have all these labels (such as `code="OK"`); 0 if there is none yet.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let fits = |series: &str| {
            let (found, found_labels) = series.split_once('{').unwrap_or((series, ""));
            found == name && labels.iter().all(|label| found_labels.contains(label))
        };
        self.0.iter().filter(|(series, _)| fits(series)).map(|(_, value)| value).sum()
    }

    /// The buckets of a histogram without labels: upper bounds, and how many values are at or below them. Empty if there
    /// is none yet.
    pub fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let prefix = format!("{name}_bucket{{le=\"");
        let bucket = |(series, count): &(String, f64)| {
            let bound = series.strip_prefix(&prefix)?.strip_suffix("\"}")?.parse().ok()?;
            Some((bound, *count))
        };
        self.0.iter().filter_map(bucket).collect()
    }
}

/// Waits until a metric has a value.
pub async fn until(status: SocketAddr, name: &str, labels: &[&str], right: impl Fn(f64) -> bool) -> f64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let value = Metrics::of(status).await.sum(name, labels);
        if right(value) {
            return value;
        }
        assert!(Instant::now() < deadline, "{name}{labels:?} stays at {value}");
        tokio::time::sleep(INTERVAL).await;
    }
}
