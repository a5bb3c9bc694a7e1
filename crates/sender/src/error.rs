//! Why a send failed, and whether it may have arrived nevertheless.

use ringway_cluster::FollowError;
use ringway_dispatch::Attempts;
use ringway_proto::{Reason, Refusal};

/// A message that was not sent, or of which nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{refusal} ({})", describe(*attempts, *maybe_delivered))]
pub struct SendError {
    /// Why the last attempt failed.
    #[source]
    pub refusal: Refusal,
    /// The message's id; sending it again with the same one is recognised where ids are remembered. Empty for calls
    /// that carry no message.
    pub message_id: String,
    /// How many attempts were made; 0 when the request was refused before the first.
    pub attempts: u32,
    /// Whether any of the attempts may have been carried out. `false`: it surely was not delivered.
    pub maybe_delivered: bool,
}

impl SendError {
    pub(crate) fn after(attempts: Attempts, refusal: Refusal, message_id: &str) -> Self {
        let Attempts { count, maybe_delivered } = attempts;
        SendError { refusal, message_id: message_id.to_owned(), attempts: count, maybe_delivered }
    }

    /// Why the last attempt failed.
    pub fn reason(&self) -> Reason {
        self.refusal.reason
    }

    /// Whether it may have been delivered after all.
    pub fn maybe_delivered(&self) -> bool {
        self.maybe_delivered
    }
}

fn describe(attempts: u32, maybe_delivered: bool) -> String {
    let verdict = if maybe_delivered { "it may have been carried out" } else { "it was not carried out" };
    match attempts {
        0 => "refused before it was sent".to_owned(),
        1 => format!("1 attempt, {verdict}"),
        _ => format!("{attempts} attempts, {verdict}"),
    }
}

/// Why a sender could not be connected to the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No node showed its ring.
    #[error(transparent)]
    Ring(#[from] FollowError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_is_known() {
        let error = |attempts, maybe_delivered| SendError {
            refusal: Refusal::new(Reason::Unreachable, "nobody there"),
            message_id: "m1".into(),
            attempts,
            maybe_delivered,
        };
        let cases = [
            (error(0, false), "UNREACHABLE: nobody there (refused before it was sent)"),
            (error(1, false), "UNREACHABLE: nobody there (1 attempt, it was not carried out)"),
            (error(3, true), "UNREACHABLE: nobody there (3 attempts, it may have been carried out)"),
        ];
        for (error, expected) in cases {
            assert_eq!(error.to_string(), expected);
        }
    }
}
