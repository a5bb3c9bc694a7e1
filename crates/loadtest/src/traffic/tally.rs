//! What the sender was told: receipts by outcome, refusals by reason, and which messages therefore need not have arrived.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ringway_sender::{Outcome, Receipt, SendError};

use super::latency::Latency;
use super::stamp::{Phase, Stream};

/// Of how many messages that need not arrive it is remembered which; beyond it, no message counts as lost.
const EXCUSED_MAX: usize = 2_000_000;

/// A message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) stream: Stream,
    pub(crate) number: u32,
    pub(crate) phase: Phase,
    /// How many sessions it should reach.
    pub(crate) sessions: u32,
}

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// From when a message was due until its receipt was here.
    pub(crate) latency: Latency,
    /// From when a message was due until it was given to the library: what the load generator itself is late.
    pub(crate) lag: Latency,
    sent: AtomicU64,
    measured: AtomicU64,
    answered: AtomicU64,
    told: Mutex<Told>,
}

/// What was told, over all messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Receipts, by outcome.
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    /// Failures, by reason.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// Failures after which nobody knows whether the message was delivered.
    pub(crate) doubtful: u64,
    /// Receipts that tell of fewer sessions than there are: the sender knows that somebody did not get the message.
    pub(crate) short: u64,
    /// Sessions reached, as the receipts count them.
    pub(crate) sessions: u64,
    excused: HashSet<(Stream, u32)>,
}

impl Tally {
    /// A message is given to the library, so long after it was due.
    pub(crate) fn sending(&self, sent: Sent, lag: Duration) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if sent.phase == Phase::Measured {
            self.measured.fetch_add(1, Ordering::Relaxed);
            self.lag.record(lag);
        }
    }

    /// It is answered, so long after it was due.
    pub(crate) fn answered(&self, sent: Sent, answer: &Result<Receipt, SendError>, took: Duration) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if sent.phase == Phase::Measured && answer.is_ok() {
            self.latency.record(took);
        }
        self.told.lock().note(sent, answer);
    }

    /// Messages given to the library so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Those that are measured.
    pub(crate) fn measured(&self) -> u64 {
        self.measured.load(Ordering::Relaxed)
    }

    /// Messages that are not answered yet.
    pub(crate) fn under_way(&self) -> u64 {
        self.sent().saturating_sub(self.answered.load(Ordering::Relaxed))
    }

    /// How many failed so far.
    pub(crate) fn errors(&self) -> u64 {
        self.told.lock().errors.values().sum()
    }

    /// What was told so far.
    pub(crate) fn told(&self) -> Told {
        self.told.lock().clone()
    }
}

impl Told {
    /// Whether a message need not have arrived everywhere, since the sender was told so.
    pub(crate) fn excuses(&self, stream: Stream, number: u32) -> bool {
        self.excused.len() >= EXCUSED_MAX || self.excused.contains(&(stream, number))
    }

    fn note(&mut self, sent: Sent, answer: &Result<Receipt, SendError>) {
        let is_full = match answer {
            Ok(receipt) => {
                *self.outcomes.entry(receipt.outcome.as_str()).or_default() += 1;
                self.sessions += u64::from(receipt.sessions);
                let is_full = is_full(receipt, sent.sessions);
                self.short += u64::from(!is_full);
                is_full
            }
            Err(error) => {
                *self.errors.entry(error.reason().name()).or_default() += 1;
                self.doubtful += u64::from(error.maybe_delivered());
                false
            }
        };
        if !is_full && self.excused.len() < EXCUSED_MAX {
            self.excused.insert((sent.stream, sent.number));
        }
    }
}

/// Whether everybody has it or will get it: what is stored comes in the end.
fn is_full(receipt: &Receipt, sessions: u32) -> bool {
    let missed = receipt.sessions_overflowed + receipt.sessions_suspended + receipt.sessions_missed;
    let reached = receipt.sessions >= sessions && missed == 0 && receipt.workers_unreached.is_empty();
    reached || receipt.outcome == Outcome::Stored
}

#[cfg(test)]
mod tests {
    use ringway_sender::{Reason, Refusal, RingVersion};

    use super::*;

    fn receipt(outcome: Outcome, sessions: u32) -> Result<Receipt, SendError> {
        Ok(Receipt {
            outcome,
            sessions,
            sessions_overflowed: 0,
            sessions_suspended: 0,
            sessions_missed: 0,
            message_id: String::new(),
            ring_version: RingVersion::from_u64(1),
            workers_unreached: Vec::new(),
            stored_offset: None,
            is_duplicate: false,
            is_acknowledged: false,
        })
    }

    fn failure(reason: Reason, maybe_delivered: bool) -> Result<Receipt, SendError> {
        let refusal = Refusal::new(reason, "no");
        Err(SendError { refusal, message_id: String::new(), attempts: 1, maybe_delivered })
    }

    #[test]
    fn what_was_told_is_counted_and_excuses() {
        let tally = Tally::default();
        let answers = [
            (receipt(Outcome::Delivered, 2), false),
            (receipt(Outcome::Delivered, 1), true),
            (receipt(Outcome::NoSession, 0), true),
            (receipt(Outcome::Stored, 0), false),
            (failure(Reason::Overloaded, false), true),
            (failure(Reason::ConnectionLost, true), true),
        ];
        for (number, (answer, _)) in (0..).zip(&answers) {
            let sent = Sent { stream: Stream::Group(1), number, phase: Phase::Measured, sessions: 2 };
            tally.sending(sent, Duration::ZERO);
            assert_eq!(tally.under_way(), 1);
            tally.answered(sent, answer, Duration::from_millis(1));
        }
        let told = tally.told();
        for (number, (answer, is_excused)) in (0..).zip(&answers) {
            assert_eq!(told.excuses(Stream::Group(1), number), *is_excused, "{answer:?}");
        }
        assert_eq!(format!("{:?}", told.outcomes), r#"{"delivered": 2, "no_session": 1, "stored": 1}"#);
        assert_eq!(format!("{:?}", told.errors), r#"{"CONNECTION_LOST": 1, "OVERLOADED": 1}"#);
        assert_eq!((told.doubtful, told.short, told.sessions), (1, 2, 3));
        assert_eq!((tally.errors(), tally.sent()), (2, 6));
        assert_eq!((tally.measured(), tally.latency.merged().count()), (6, 4));
    }
}
