//! From a feed into a sink: a batch is acknowledged when the sink has it, and goes to it again until then. So the order of each
//! worker's events is kept, and an event may come twice.

use std::time::Duration;

use ringway_cluster::Backoff;
use ringway_proto::v1::Event;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::feed::Feed;
use crate::metrics::SinkMetrics;

/// The bound of the first pause after a failure.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// Where events go.
pub(crate) trait Sink {
    /// Its name in metrics and logs.
    const NAME: &'static str;

    /// Why it could not take events.
    type Error: std::error::Error;

    /// Takes events. Whatever it does not want for good it counts itself.
    async fn take(&mut self, events: &[Event], metrics: &SinkMetrics) -> Result<(), Self::Error>;
}

/// Passes events on until `shutdown`. What is not acknowledged by then comes again.
pub(crate) async fn pump<S: Sink>(
    mut feed: Feed,
    mut sink: S,
    pause_max: Duration,
    shutdown: CancellationToken,
) {
    let metrics = SinkMetrics::new(S::NAME);
    let mut backoff = Backoff::new(PAUSE_FIRST, pause_max);
    let pumping = async {
        while let Some(batch) = feed.next().await {
            if batch.missed > 0 {
                warn!(sink = S::NAME, worker = batch.worker, missed = batch.missed, "events are lost");
                metrics.missed.increment(batch.missed);
            }
            let mut failed = false;
            while let Err(error) = sink.take(&batch.events, &metrics).await {
                metrics.failures.increment(1);
                if !failed {
                    warn!(sink = S::NAME, %error, "events could not be passed on: they are tried again");
                }
                failed = true;
                tokio::time::sleep(backoff.pause()).await;
            }
            if failed {
                info!(sink = S::NAME, "events are passed on again");
            }
            backoff.reset();
            batch.acknowledge().await;
        }
    };
    // What is under way when it is cut off was not acknowledged, and comes again.
    shutdown.run_until_cancelled(pumping).await;
}
