//! What the client has asked for and has no answer to yet.
//!
//! The law: of each request there is one end, its answer or the end of its socket. An answer that comes later, which may happen
//! after a resume, is passed over.

use std::collections::BTreeSet;

/// The beginning of the names that requests are given: who sends frames of its own names them otherwise.
const PREFIX: char = '#';

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// There is no connection that was welcomed.
    #[error("there is no connection at the moment")]
    NotConnected,
    /// Too many requests wait for their answers.
    #[error("{max} requests wait for their answers, and no more may")]
    TooMany {
        /// How many may.
        max: usize,
    },
}

/// A request that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name by which its answer is known.
    pub reference: String,
    /// The frame, to be sent as a text message.
    pub text: String,
}

/// The requests without an answer.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    named: u64,
    waiting: BTreeSet<u64>,
}

impl Requests {
    /// A name for a further request.
    pub(crate) fn name(&mut self, max: usize) -> Result<String, NotSent> {
        if self.waiting.len() >= max {
            return Err(NotSent::TooMany { max });
        }
        self.named += 1;
        self.waiting.insert(self.named);
        Ok(format!("{PREFIX}{}", self.named))
    }

    /// An answer has come. Gives back whether anybody waits for it: one with a name that is not ours is somebody else's.
    pub(crate) fn answered(&mut self, reference: &str) -> bool {
        match reference.strip_prefix(PREFIX).and_then(|number| number.parse().ok()) {
            Some(number) => self.waiting.remove(&number),
            None => true,
        }
    }

    /// The socket has gone. Gives back the names of all that wait.
    pub(crate) fn lost(&mut self) -> Vec<String> {
        std::mem::take(&mut self.waiting).into_iter().map(|number| format!("{PREFIX}{number}")).collect()
    }
}
