//! A caller's claim to the receipt of one published message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::ended;
use crate::error::SendError;
use crate::receipt::Receipt;

/// Resolves to the receipt. Dropping it takes nothing back: the message is sent all the same.
#[derive(Debug)]
#[must_use = "the receipt says whether the message was delivered"]
pub struct Ticket {
    answer: oneshot::Receiver<Result<Receipt, SendError>>,
    message_id: String,
}

impl Ticket {
    pub(super) fn new(answer: oneshot::Receiver<Result<Receipt, SendError>>, message_id: String) -> Self {
        Ticket { answer, message_id }
    }

    /// The message's id, as given or made.
    pub fn message_id(&self) -> &str {
        &self.message_id
    }
}

impl Future for Ticket {
    type Output = Result<Receipt, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        Poll::Ready(answer.unwrap_or_else(|_| {
            let message_id = self.message_id.clone();
            Err(SendError { refusal: ended(), message_id, attempts: 1, maybe_delivered: true })
        }))
    }
}
