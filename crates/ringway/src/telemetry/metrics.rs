//! The recorder behind the `metrics` facade, and its text for Prometheus.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How often histograms' samples are moved into their buckets, so that they do not pile up when nobody asks.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The bounds of the buckets of everything measured in seconds: from what a hash costs to what a client gives up at.
const SECONDS_BUCKETS: [f64; 15] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Everything measured in this process. A cheap clone.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// In the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        // As of now: whoever looks for a leak wants no older number.
        if let Ok(runtime) = Handle::try_current() {
            metrics::gauge!("ringway_process_tasks").set(runtime.metrics().num_alive_tasks() as f64);
        }
        self.0.render()
    }

    /// The same as a closure, for those who only need that.
    pub(crate) fn renderer(&self) -> Arc<dyn Fn() -> String + Send + Sync> {
        let metrics = self.clone();
        Arc::new(move || metrics.render())
    }
}

/// Starts to record, and keeps the records tidy until `shutdown`.
///
/// # Errors
/// When another recorder is installed already.
pub(crate) fn start_metrics(shutdown: CancellationToken) -> anyhow::Result<Metrics> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?;
    let handle = builder.install_recorder().context("cannot record metrics")?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        while shutdown.run_until_cancelled(tokio::time::sleep(UPKEEP_INTERVAL)).await.is_some() {
            upkeep.run_upkeep();
        }
    });
    metrics::describe_gauge!("ringway_build_info", "Always 1; the label says which version runs.");
    metrics::describe_gauge!(
        "ringway_process_tasks",
        "Tasks of this process: each client's socket is one, and each connection of another kind."
    );
    metrics::gauge!("ringway_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(Metrics(handle))
}
