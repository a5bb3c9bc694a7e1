//! A caller's claim to the answer of one published request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ringway_proto::Refusal;
use ringway_proto::v1::Receipt;
use tokio::sync::oneshot;

use super::book::gone;

/// Resolves to the answer. Dropping it does not take the request back.
#[derive(Debug)]
#[must_use = "the answer says whether the message was delivered"]
pub struct PublishTicket(oneshot::Receiver<Result<Receipt, Refusal>>);

impl PublishTicket {
    pub(super) fn new(answer: oneshot::Receiver<Result<Receipt, Refusal>>) -> Self {
        PublishTicket(answer)
    }
}

impl Future for PublishTicket {
    type Output = Result<Receipt, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).unwrap_or_else(|_| Err(gone())))
    }
}
