//! When a failed call is made again, and after which pause.
//!
//! The law: a call that may have been carried out is repeated only if the caller asked for that.

use std::time::Duration;

use ringway_cluster::Views;
use ringway_proto::{Reason, Refusal, Retry};
use ringway_ring::RingVersion;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::config::RetryConfig;
use crate::error::{SendError, is_ambiguous};
use crate::measure;

/// What a caller allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) deadline: Instant,
    pub(crate) retry_ambiguous: bool,
}

impl Allowance {
    /// Whether a call that failed like this may be made again.
    pub(crate) fn permits(&self, reason: Reason) -> bool {
        match reason.retry() {
            Retry::Safe => true,
            Retry::Ambiguous => self.retry_ambiguous,
            Retry::Never => false,
        }
    }
}

/// What is known of a call so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempts {
    pub(crate) count: u32,
    pub(crate) maybe_delivered: bool,
}

impl Attempts {
    /// Notes an attempt that failed.
    pub(crate) fn failed(&mut self, reason: Reason) {
        self.count += 1;
        self.maybe_delivered |= is_ambiguous(reason);
    }

    pub(crate) fn error(self, refusal: Refusal, message_id: &str) -> SendError {
        SendError {
            refusal,
            message_id: message_id.to_owned(),
            attempts: self.count,
            maybe_delivered: self.maybe_delivered,
        }
    }
}

impl RetryConfig {
    /// The pause after this many failed attempts: a random part of a bound that doubles each time.
    pub(crate) fn pause(&self, failed: u32) -> Duration {
        let doublings = failed.saturating_sub(1).min(16);
        let bound = self.first_pause_max.saturating_mul(1 << doublings).min(self.pause_max);
        bound.mul_f64(rand::random::<f64>())
    }
}

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
        let next_attempt = Instant::now() + config.pause(attempts.count);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_below_a_bound_that_doubles() {
        let config = RetryConfig {
            first_pause_max: Duration::from_millis(10),
            pause_max: Duration::from_millis(50),
            ..RetryConfig::default()
        };
        for (failed, bound_ms) in [(1, 10), (2, 20), (3, 40), (4, 50), (u32::MAX, 50)] {
            let pauses: Vec<_> = (0..200).map(|_| config.pause(failed)).collect();
            assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(bound_ms)), "{failed}");
            assert!(pauses.iter().any(|pause| *pause > Duration::from_millis(bound_ms) / 2), "{failed}");
        }
    }

    #[test]
    fn only_what_surely_was_not_carried_out_is_repeated_unasked() {
        let cases = [
            (Reason::NotOwner, true, true),
            (Reason::Unreachable, true, true),
            (Reason::Overloaded, true, true),
            (Reason::ConnectionLost, false, true),
            (Reason::DeadlineExceeded, false, true),
            (Reason::InvalidArgument, false, false),
            (Reason::Internal, false, false),
        ];
        for (reason, unasked, asked) in cases {
            let permits =
                |retry_ambiguous| Allowance { deadline: Instant::now(), retry_ambiguous }.permits(reason);
            assert_eq!((permits(false), permits(true)), (unasked, asked), "{reason:?}");
        }
    }

    #[test]
    fn one_ambiguous_attempt_leaves_a_doubt() {
        let mut attempts = Attempts::default();
        attempts.failed(Reason::NotOwner);
        assert!(!attempts.maybe_delivered);
        attempts.failed(Reason::ConnectionLost);
        attempts.failed(Reason::Unreachable);
        assert!(attempts.maybe_delivered);
        assert_eq!(attempts.count, 3);
    }
}
