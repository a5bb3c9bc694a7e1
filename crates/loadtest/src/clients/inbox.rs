//! Where a client puts what has come: the account that all clients of a run share.

use std::sync::Arc;

use crate::traffic::Arrivals;

/// A client's way to the account.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    arrivals: Arc<Arrivals>,
    client: usize,
}

impl Inbox {
    /// That of a client.
    pub(crate) fn new(arrivals: &Arc<Arrivals>, client: usize) -> Self {
        Self { arrivals: Arc::clone(arrivals), client }
    }

    /// A message has come.
    pub(crate) fn take(&self, payload: &[u8]) {
        self.arrivals.take(self.client, payload);
    }
}
