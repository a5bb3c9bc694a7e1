//! What became of a message.

use ringway_proto::{Reason, Refusal, v1};
use ringway_ring::RingVersion;

/// What became of a message that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was put on the way to at least one session.
    Delivered,
    /// No session of the target is connected: nobody received it and nothing was kept.
    NoSession,
    /// The target has sessions, but every one was too slow to take it: nobody received it.
    Overflowed,
    /// The sessions that can take it have lost their connections a moment ago: it waits with them, and is lost unless they
    /// resume in time.
    Suspended,
    /// It is in the user's mailbox, and was put on the way to no session yet.
    Stored,
}

impl Outcome {
    /// The name in metrics and on the command line: `delivered`, `no_session`, `overflowed`, `suspended`, `stored`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Delivered => "delivered",
            Outcome::NoSession => "no_session",
            Outcome::Overflowed => "overflowed",
            Outcome::Suspended => "suspended",
            Outcome::Stored => "stored",
        }
    }
}

/// The answer to a send. For a user it is authoritative: the worker that answers holds all of the user's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What became of the message.
    pub outcome: Outcome,
    /// How many sessions it was put on the way to.
    pub sessions: u32,
    /// How many sessions could not take it, because their outbound queue was full.
    pub sessions_overflowed: u32,
    /// How many sessions it waits with until they resume; they are not counted in `sessions`.
    pub sessions_suspended: u32,
    /// The message's id.
    pub message_id: String,
    /// The ring by which the answering worker placed the call.
    pub ring_version: RingVersion,
    /// How many sessions, beside those that were reached, were on their way from one worker to another and did not arrive in time:
    /// they do not receive it.
    pub sessions_missed: u32,
    /// The workers that may hold receivers and could not be asked. Empty: the counts are complete.
    pub workers_unreached: Vec<String>,
    /// Its offset in the user's mailbox, if it was sent [at least once](crate::SendCall::at_least_once).
    pub stored_offset: Option<u64>,
    /// Whether an earlier send with the same message id had stored it already.
    pub is_duplicate: bool,
    /// Whether one of the user's devices has acknowledged it, as far as the send
    /// [waited](crate::SendCall::wait_acknowledged) for that.
    pub is_acknowledged: bool,
}

impl TryFrom<v1::Receipt> for Receipt {
    type Error = Refusal;

    fn try_from(receipt: v1::Receipt) -> Result<Self, Refusal> {
        let outcome = match receipt.outcome() {
            v1::Outcome::Delivered => Outcome::Delivered,
            v1::Outcome::NoSession => Outcome::NoSession,
            v1::Outcome::Overflowed => Outcome::Overflowed,
            v1::Outcome::Suspended => Outcome::Suspended,
            v1::Outcome::Stored => Outcome::Stored,
            v1::Outcome::Unspecified => {
                let number = receipt.outcome;
                let message = format!("the receipt's outcome is {number}, which this version does not know");
                return Err(Refusal::new(Reason::Internal, message));
            }
        };
        Ok(Receipt {
            outcome,
            sessions: receipt.sessions,
            sessions_overflowed: receipt.sessions_overflowed,
            sessions_suspended: receipt.sessions_suspended,
            sessions_missed: receipt.sessions_missed,
            message_id: receipt.message_id,
            ring_version: RingVersion::from_u64(receipt.ring_version),
            workers_unreached: receipt.workers_unreached,
            stored_offset: (receipt.stored_offset > 0).then_some(receipt.stored_offset),
            is_duplicate: receipt.is_duplicate,
            is_acknowledged: receipt.is_acknowledged,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        let cases = [
            (0, None),
            (1, Some("delivered")),
            (2, Some("no_session")),
            (3, Some("overflowed")),
            (4, Some("suspended")),
            (5, Some("stored")),
            (6, None),
        ];
        for (outcome, expected) in cases {
            let receipt = Receipt::try_from(v1::Receipt { outcome, ..v1::Receipt::default() });
            assert_eq!(receipt.ok().map(|receipt| receipt.outcome.as_str()), expected, "{outcome}");
        }
    }
}
