//! A subscriber's end of a subscription, within the worker's process.

use std::sync::Arc;

use ringway_proto::v1::SubscribeResponse;
use tokio::sync::Notify;

use super::hub::{EventHub, Next};

/// Events as they come. When it is dropped, its subscriber is away.
pub struct Subscription {
    hub: EventHub,
    name: String,
    number: u64,
    wake: Arc<Notify>,
}

impl Subscription {
    pub(super) fn new(hub: EventHub, name: String, number: u64, wake: Arc<Notify>) -> Self {
        Subscription { hub, name, number, wake }
    }

    /// The next batch; nothing when the worker has left. Cancel-safe: what it has not given back is given back by the next call.
    pub async fn next(&self) -> Option<SubscribeResponse> {
        loop {
            match self.hub.take(&self.name, self.number) {
                Next::Batch(batch) => return Some(batch),
                Next::Over => return None,
                Next::Later => self.wake.notified().await,
            }
        }
    }

    /// Everything up to this sequence is done with: it is not sent again.
    pub fn acknowledge(&self, upto: u64) {
        self.hub.acknowledge(&self.name, self.number, upto);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.detach(&self.name, self.number);
    }
}
