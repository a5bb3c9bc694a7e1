//! The pipeline: messages go out without waiting for each answer, and are sent again in their turn.
//!
//! `lanes` decides which message may go now, `queues` which one gets room on a stream that has none; both are pure. `task`
//! carries messages between them and the streams. A worker that takes nothing holds up its own messages only. How many messages
//! there may be is bounded by whoever puts them in: each holds its room until it has come to its end.

mod attempts;
mod lanes;
mod queues;
mod task;

use std::hash::Hash;

use ringway_proto::v1::Receipt;
use ringway_proto::v1::publish_request::Send as Request;
use ringway_proto::{Reason, Refusal};
use tokio::sync::mpsc;

pub use attempts::{Allowance, Attempts, Pauses};
use task::PipelineTask;

use crate::split::SplitPublisher;

/// A message for a pipeline, and what its caller needs when it has come to its end.
pub trait Parcel: Send + 'static {
    /// Messages to the same target keep their order.
    type Target: Clone + Eq + Hash + Send + 'static;

    /// To whom.
    fn target(&self) -> Self::Target;

    /// The message as it is sent, each time anew.
    fn request(&self) -> Request;

    /// How long it may take, and which failures it may be sent again after.
    fn allowance(&self) -> Allowance;

    /// It is to be sent again, for this reason.
    fn retried(&self, reason: Reason);

    /// It has come to its end.
    fn conclude(self, answer: Result<Receipt, Refusal>, attempts: Attempts);
}

/// Carries messages onto these streams until nobody puts any in and every one has come to its end, which its allowance bounds.
pub async fn carry<P: Parcel>(received: mpsc::Receiver<P>, publisher: SplitPublisher, pauses: Pauses) {
    PipelineTask::new(received, publisher, pauses).run().await;
}
