//! When a failed call is made again, and after which pause.
//!
//! The law: a call that may have been carried out is repeated only if the caller asked for that.

use ringway_cluster::Views;
use ringway_dispatch::{Allowance, Attempts};
use ringway_proto::{Reason, Refusal};
use ringway_ring::RingVersion;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::config::RetryConfig;
use crate::measure;

/// Makes a call until it succeeds, must not be made again, or the deadline comes before the next attempt. No attempt
/// is begun after the deadline: its failure would leave a doubt where there is none.
pub(crate) async fn retrying<T, F>(
    views: &Views,
    config: &RetryConfig,
    allowance: Allowance,
    mut attempt: impl FnMut() -> F,
) -> Result<T, (Refusal, Attempts)>
where
    F: Future<Output = Result<T, Refusal>>,
{
    let mut attempts = Attempts::default();
    let mut refusal = Refusal::new(Reason::DeadlineExceeded, "the deadline had passed before it was sent");
    while Instant::now() < allowance.deadline {
        let version = views.current().version();
        refusal = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusal,
        };
        attempts.failed(refusal.reason);
        let next_attempt = Instant::now() + config.pauses().after(attempts.count);
        if !allowance.permits(refusal.reason) || next_attempt >= allowance.deadline {
            break;
        }
        tracing::debug!(%refusal, attempt = attempts.count, "trying again");
        measure::retried(refusal.reason);
        if refusal.ring_version.is_some_and(|theirs| theirs != version) {
            let wait_until = allowance.deadline.min(Instant::now() + config.view_wait);
            wait_for_view(views, version, wait_until).await;
        }
        sleep_until(next_attempt).await;
    }
    Err((refusal, attempts))
}

/// Waits until our ring is another one than it was at the attempt: the watch is about to bring it.
async fn wait_for_view(views: &Views, version: RingVersion, wait_until: Instant) {
    let mut changes = views.subscribe();
    let changed = changes.wait_for(|view| view.version() != version);
    // Whether it came or not: the next attempt goes by what is there then.
    let _ = timeout_at(wait_until, changed).await;
}
