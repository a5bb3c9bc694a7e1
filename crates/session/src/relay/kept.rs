//! What a client has sent while its session is at no worker.

use std::collections::VecDeque;

use super::Cost;

/// Messages in order, and what they count. The bound is kept by who reads the client.
#[derive(Clone, Debug)]
pub(super) struct Kept<M> {
    messages: VecDeque<M>,
    bytes: usize,
}

impl<M> Default for Kept<M> {
    fn default() -> Self {
        Self { messages: VecDeque::new(), bytes: 0 }
    }
}

impl<M: Cost> Kept<M> {
    pub(super) fn push(&mut self, message: M) {
        self.bytes += message.cost_bytes();
        self.messages.push_back(message);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_messages(self) -> impl Iterator<Item = M> {
        self.messages.into_iter()
    }
}
