//! The metrics of sends.

use std::time::Duration;

use ringway_proto::Reason;

use crate::error::SendError;
use crate::message::Target;
use crate::receipt::Receipt;

/// Counts a send that has come to its end, after all of its attempts.
pub(crate) fn sent(target: &Target, result: &Result<Receipt, SendError>, took: Duration) {
    let outcome = match result {
        Ok(receipt) => receipt.outcome.as_str(),
        Err(error) if error.maybe_delivered => "unknown",
        Err(_) => "refused",
    };
    let target = target.label();
    metrics::counter!("ringway_sender_sends_total", "target" => target, "outcome" => outcome).increment(1);
    metrics::histogram!("ringway_sender_send_seconds", "target" => target).record(took.as_secs_f64());
}

/// Counts a decision to send again.
pub(crate) fn retried(reason: Reason) {
    metrics::counter!("ringway_sender_retries_total", "reason" => reason.name()).increment(1);
}
