//! Events from workers: a subscription at each of them, joined into one stream of batches.
//!
//! A batch that is acknowledged does not come again. One that is dropped without that comes again when the subscription is made anew:
//! by the next process of the same name, or after the worker's stream broke.

mod follow;
mod stream;

use ringway_proto::v1::Event;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use follow::follow_events;

/// Events as they come. When it is dropped, its subscriptions end.
#[derive(Debug)]
pub struct Feed {
    batches: mpsc::Receiver<Batch>,
    _end: DropGuard,
}

/// Some events of one worker, in their order.
#[derive(Debug)]
pub struct Batch {
    /// The worker.
    pub worker: String,
    /// The events; there may be none, when only `missed` is to be told.
    pub events: Vec<Event>,
    /// How many events are lost since the batch before it of the same worker.
    pub missed: u64,
    upto: u64,
    acknowledge: mpsc::Sender<u64>,
}

impl Feed {
    fn new(batches: mpsc::Receiver<Batch>, end: CancellationToken) -> Self {
        Feed { batches, _end: end.drop_guard() }
    }

    /// The next batch; nothing when nobody is followed any more. Cancel-safe.
    pub async fn next(&mut self) -> Option<Batch> {
        self.batches.recv().await
    }
}

impl Batch {
    /// The events are done with.
    pub async fn acknowledge(self) {
        // The stream may be gone: then they come again.
        self.acknowledge.send(self.upto).await.ok();
    }
}
