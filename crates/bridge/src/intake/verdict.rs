//! What becomes of a delivery once it was tried, pure.

use ringway_proto::Retry;
use ringway_sender::{Outcome, Reason, Receipt, SendError};

/// What happens to a message for somebody who is not connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnOffline {
    /// It is acknowledged and gone.
    #[default]
    Drop,
    /// It is tried again, as often as what failed.
    Retry,
    /// It goes to the dead-letter exchange.
    DeadLetter,
}

/// What is promised of each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarantee {
    /// Clients that are connected get it; it is not sent again when it may have been delivered.
    #[default]
    AtMostOnce,
    /// To a user: it is stored in his mailbox. To a group and to all: it is sent again until the cluster has said that it has it, and
    /// clients may get it twice.
    AtLeastOnce,
}

/// By what is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) attempts_max: u32,
    pub(crate) on_offline: OnOffline,
    pub(crate) guarantee: Guarantee,
}

/// What is to be done with a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Acknowledge it; the word is for metrics.
    Done(&'static str),
    /// Try it again after a pause; the word is for metrics.
    Again(&'static str),
    /// Put it into the dead-letter exchange, then acknowledge it.
    Dead(DeadReason),
}

/// Why a delivery is dead: a word for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeadReason {
    pub(crate) word: &'static str,
    pub(crate) detail: String,
}

impl DeadReason {
    pub(crate) fn new(word: &'static str, detail: impl Into<String>) -> Self {
        DeadReason { word, detail: detail.into() }
    }
}

impl Rules {
    /// What becomes of a delivery whose n-th attempt, counted from 1, ended so.
    pub(crate) fn judge(&self, result: &Result<Receipt, SendError>, attempt: u32) -> Verdict {
        match result {
            Ok(receipt) => self.judge_outcome(receipt.outcome, attempt),
            Err(error) if error.reason().retry() == Retry::Never => {
                Verdict::Dead(DeadReason::new(word(error.reason()), error.refusal.message.clone()))
            }
            Err(error) if error.maybe_delivered() && self.guarantee == Guarantee::AtMostOnce => {
                Verdict::Dead(DeadReason::new("maybe_delivered", error.to_string()))
            }
            Err(error) => self.again(word(error.reason()), error.to_string(), attempt),
        }
    }

    fn judge_outcome(&self, outcome: Outcome, attempt: u32) -> Verdict {
        const NOBODY: &str = "no session of the target is connected";
        match outcome {
            Outcome::Delivered => Verdict::Done("delivered"),
            Outcome::Suspended => Verdict::Done("suspended"),
            Outcome::Stored => Verdict::Done("stored"),
            Outcome::Overflowed => {
                let detail = "every session of the target was too slow to take it";
                self.again("overflowed", detail.to_owned(), attempt)
            }
            Outcome::NoSession => match self.on_offline {
                OnOffline::Drop => Verdict::Done("dropped"),
                OnOffline::Retry => self.again("no_session", NOBODY.to_owned(), attempt),
                OnOffline::DeadLetter => Verdict::Dead(DeadReason::new("no_session", NOBODY)),
            },
        }
    }

    fn again(&self, word: &'static str, detail: String, attempt: u32) -> Verdict {
        if attempt < self.attempts_max {
            Verdict::Again(word)
        } else {
            Verdict::Dead(DeadReason { word, detail })
        }
    }
}

/// A reason in the words of headers and metrics.
fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::InvalidArgument => "invalid_argument",
        Reason::MessageTooLarge => "message_too_large",
        Reason::Unauthenticated => "unauthenticated",
        Reason::NotOwner => "not_owner",
        Reason::OutOfTurn => "out_of_turn",
        Reason::NoWorkers => "no_workers",
        Reason::Draining => "draining",
        Reason::Unreachable => "unreachable",
        Reason::ConnectionLost => "connection_lost",
        Reason::Overloaded => "overloaded",
        Reason::DeadlineExceeded => "deadline_exceeded",
        Reason::SessionNotFound => "session_not_found",
        Reason::MembersFixed => "members_fixed",
        Reason::NoMailboxes => "no_mailboxes",
        Reason::StoreUnavailable => "store_unavailable",
        Reason::StoreFull => "store_full",
        Reason::Internal => "internal",
    }
}

#[cfg(test)]
mod tests {
    use ringway_sender::{Refusal, RingVersion};

    use super::*;

    const RULES: Rules =
        Rules { attempts_max: 3, on_offline: OnOffline::Drop, guarantee: Guarantee::AtLeastOnce };

    fn receipt(outcome: Outcome) -> Result<Receipt, SendError> {
        Ok(Receipt {
            outcome,
            sessions: 0,
            sessions_overflowed: 0,
            sessions_suspended: 0,
            message_id: "m1".into(),
            ring_version: RingVersion::from_u64(1),
            sessions_missed: 0,
            workers_unreached: vec![],
            stored_offset: None,
            is_duplicate: false,
            is_acknowledged: false,
        })
    }

    fn failure(reason: Reason, maybe_delivered: bool) -> Result<Receipt, SendError> {
        let refusal = Refusal::new(reason, "why");
        Err(SendError { refusal, message_id: "m1".into(), attempts: 1, maybe_delivered })
    }

    fn shown(verdict: Verdict) -> String {
        match verdict {
            Verdict::Done(word) => format!("done {word}"),
            Verdict::Again(word) => format!("again {word}"),
            Verdict::Dead(dead) => format!("dead {}", dead.word),
        }
    }

    #[test]
    fn what_becomes_of_a_delivery() {
        use Outcome::{Delivered, NoSession, Overflowed, Suspended};
        let offline = |on_offline| Rules { on_offline, ..RULES };
        let once = Rules { guarantee: Guarantee::AtMostOnce, ..RULES };
        let cases = [
            (RULES, receipt(Delivered), 1, "done delivered"),
            (RULES, receipt(Suspended), 1, "done suspended"),
            (RULES, receipt(Overflowed), 1, "again overflowed"),
            (RULES, receipt(Overflowed), 3, "dead overflowed"),
            (RULES, receipt(NoSession), 1, "done dropped"),
            (offline(OnOffline::DeadLetter), receipt(NoSession), 1, "dead no_session"),
            (offline(OnOffline::Retry), receipt(NoSession), 2, "again no_session"),
            (offline(OnOffline::Retry), receipt(NoSession), 3, "dead no_session"),
            (RULES, failure(Reason::InvalidArgument, false), 1, "dead invalid_argument"),
            (RULES, failure(Reason::MessageTooLarge, false), 1, "dead message_too_large"),
            (RULES, failure(Reason::Unreachable, false), 2, "again unreachable"),
            (RULES, failure(Reason::Unreachable, false), 3, "dead unreachable"),
            (RULES, failure(Reason::ConnectionLost, true), 1, "again connection_lost"),
            (once, failure(Reason::ConnectionLost, true), 1, "dead maybe_delivered"),
            (once, failure(Reason::NoWorkers, false), 1, "again no_workers"),
        ];
        for (rules, result, attempt, expected) in cases {
            assert_eq!(shown(rules.judge(&result, attempt)), expected, "{rules:?} {result:?} {attempt}");
        }
    }
}
