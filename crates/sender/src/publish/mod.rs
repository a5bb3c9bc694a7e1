//! The way into the pipeline ([`carry`]): messages go out without waiting for each answer, and are sent again in their turn.
//!
//! The bound holds from the `publish` call to the last answer, so nothing inside needs one of its own.

mod item;
mod ticket;

use std::sync::Arc;

use ringway_dispatch::{Attempts, SplitPublisher, carry};
use ringway_proto::{Reason, Refusal};
use ringway_rpc::payload_bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::config::RetryConfig;
use crate::error::SendError;
use crate::send::Prepared;
use item::Item;
pub use ticket::Ticket;

/// The bounds of a sender's pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishConfig {
    /// How many messages may be unanswered; beyond it, publishing waits.
    pub in_flight_max: u32,
    /// How many bytes of payload may be unanswered. One message that is larger counts as this much.
    pub in_flight_bytes_max: u32,
}

impl Default for PublishConfig {
    fn default() -> Self {
        PublishConfig { in_flight_max: 8192, in_flight_bytes_max: 64 * 1024 * 1024 }
    }
}

/// The way into the pipeline. When it is dropped, the task finishes what it has and ends.
#[derive(Debug)]
pub(crate) struct PublishHandle {
    items: mpsc::Sender<Item>,
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
}

/// The room that a message takes until it has come to its end.
#[derive(Debug)]
pub(crate) struct Room {
    _message: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl PublishHandle {
    pub(crate) fn start(publisher: SplitPublisher, config: PublishConfig, retry: RetryConfig) -> Self {
        let messages_max = config.in_flight_max.max(1) as usize;
        let bytes_max = config.in_flight_bytes_max.max(1);
        let (items, received) = mpsc::channel(messages_max);
        tokio::spawn(carry(received, publisher, retry.pauses()));
        PublishHandle {
            items,
            messages: Arc::new(Semaphore::new(messages_max)),
            bytes: Arc::new(Semaphore::new(bytes_max as usize)),
            bytes_max,
        }
    }

    pub(crate) async fn enter(&self, prepared: Prepared) -> Result<Ticket, SendError> {
        let message_id = prepared.message_id.clone();
        let bytes = payload_bytes(&prepared.request).min(self.bytes_max as usize);
        let room = self.room(u32::try_from(bytes).unwrap_or(self.bytes_max)).await;
        let (answer, ticket) = oneshot::channel();
        let entered = room.and_then(|room| {
            let item = Item { prepared, answer, room };
            self.items.try_send(item).map_err(|_| ended())
        });
        match entered {
            Ok(()) => Ok(Ticket::new(ticket, message_id)),
            Err(refusal) => Err(SendError::after(Attempts::default(), refusal, &message_id)),
        }
    }

    async fn room(&self, bytes: u32) -> Result<Room, Refusal> {
        let message = Arc::clone(&self.messages).acquire_owned().await.map_err(|_| ended())?;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(bytes).await.map_err(|_| ended())?;
        Ok(Room { _message: message, _bytes: bytes })
    }
}

/// What callers read when the pipeline's task is gone.
fn ended() -> Refusal {
    Refusal::new(Reason::ConnectionLost, "the sender has ended, since its process shuts down")
}
