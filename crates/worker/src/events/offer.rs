//! What becomes of a client's message that is offered to subscribers.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// What is known at once of a message that was offered.
#[derive(Debug)]
pub(crate) enum Offered {
    /// Nobody subscribes to clients' messages: it was dropped.
    Nobody,
    /// A reliable subscription has no room: it was dropped, and the client may send it again later.
    Full,
    /// It is kept. Whether it was acknowledged is told later.
    Taken(Receipt),
}

/// How a message that was kept ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A subscriber has acknowledged it.
    Acknowledged,
    /// It went without having been acknowledged, for too many were kept or the worker leaves.
    Lost,
}

/// Resolves when a subscriber has acknowledged the message, or when that cannot happen any more. Dropping it takes
/// nothing back.
#[derive(Debug)]
pub(crate) struct Receipt(oneshot::Receiver<()>);

impl Receipt {
    /// A receipt, and what settles it: sending is an acknowledgement, dropping a loss.
    pub(super) fn new() -> (oneshot::Sender<()>, Self) {
        let (settle, receipt) = oneshot::channel();
        (settle, Receipt(receipt))
    }
}

impl Future for Receipt {
    type Output = Received;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Received> {
        Pin::new(&mut self.0).poll(cx).map(|settled| match settled {
            Ok(()) => Received::Acknowledged,
            Err(_) => Received::Lost,
        })
    }
}
