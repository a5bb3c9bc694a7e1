//! The write half of a client's socket: whoever holds it writes, and nobody else does.
//!
//! A client's task that has nothing to write leaves it with what waits for the client ([`Outbound`](crate::link)). Then the task of the link
//! that brings a message writes it there and then, and the client's task is not woken. What the socket does not take at once is the
//! client's task's again: it takes the pen, with what is left of a frame, and waits for the socket.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use tokio::net::tcp::OwnedWriteHalf;
use tungstenite::Message;

use super::batch::{self, Rest};

/// The right to write to a client.
pub(crate) struct Pen {
    half: OwnedWriteHalf,
    stuck: Option<Box<Stuck>>,
}

/// What came of a write that the socket did not take as a whole.
#[derive(Default)]
pub(crate) struct Stuck {
    /// What is left of the frame that it took the beginning of.
    pub(crate) rest: Option<Rest>,
    /// Cost of the messages with which it has begun.
    pub(crate) cost_bytes: u64,
}

impl Pen {
    pub(crate) fn new(half: OwnedWriteHalf) -> Self {
        Self { half, stuck: None }
    }

    /// Whether another than the client's task may write with it.
    pub(crate) fn is_free(&self) -> bool {
        self.stuck.is_none()
    }

    /// Writes all messages, and says what they cost by `cost_bytes`, which is asked for each. Nothing if the socket does not take them
    /// all, or is broken: then the pen is stuck, until the client's task has it.
    pub(crate) fn write(
        &mut self,
        messages: &mut VecDeque<Message>,
        mut cost_bytes: impl FnMut(&Message) -> u64,
    ) -> Option<u64> {
        // Nobody waits here: the client's task asks for itself.
        let mut cx = Context::from_waker(Waker::noop());
        let mut stuck = Stuck::default();
        while !messages.is_empty() {
            let begun = |message: &Message| stuck.cost_bytes += cost_bytes(message);
            stuck.rest = match batch::poll_write(&mut self.half, &mut cx, messages, begun) {
                Poll::Ready(Ok(None)) => continue,
                Poll::Ready(Ok(rest)) => rest,
                Poll::Pending | Poll::Ready(Err(_)) => None,
            };
            self.stuck = Some(Box::new(stuck));
            return None;
        }
        Some(stuck.cost_bytes)
    }

    pub(crate) fn into_parts(self) -> (OwnedWriteHalf, Stuck) {
        (self.half, self.stuck.map(|stuck| *stuck).unwrap_or_default())
    }
}
