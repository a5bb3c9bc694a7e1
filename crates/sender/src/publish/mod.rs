//! The way into the pipeline ([`carry`]): messages go out without waiting for each answer, and are sent again in their turn.
//!
//! The bound holds from the `publish` call to the last answer, so nothing inside needs one of its own.

mod item;
mod room;
mod ticket;

use ringway_dispatch::{Attempts, SplitPublisher, carry};
use ringway_proto::{Reason, Refusal};
use ringway_rpc::payload_bytes;
use tokio::sync::{mpsc, oneshot};

use crate::config::RetryConfig;
use crate::error::SendError;
use crate::send::Prepared;
use item::Item;
use room::Rooms;
pub use ticket::Ticket;

/// The bounds of a sender's pipeline. A worker has at most three times as much of each as is free, so that one that hangs does not stop
/// the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishConfig {
    /// How many messages may be unanswered; beyond it, publishing waits.
    pub in_flight_max: u32,
    /// How many bytes of payload may be unanswered; beyond it, publishing waits. The last message may go beyond it.
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
    publisher: SplitPublisher,
    rooms: Rooms,
}

impl PublishHandle {
    pub(crate) fn start(publisher: SplitPublisher, config: PublishConfig, retry: RetryConfig) -> Self {
        let (items, received) = mpsc::channel(config.in_flight_max.max(1) as usize);
        tokio::spawn(carry(received, publisher.clone(), retry.pauses()));
        PublishHandle { items, publisher, rooms: Rooms::new(config) }
    }

    pub(crate) async fn enter(&self, mut prepared: Prepared) -> Result<Ticket, SendError> {
        let message_id = prepared.message_id.clone();
        let (owner, bytes) = (self.publisher.owner(&mut prepared.request), payload_bytes(&prepared.request));
        let room = self.rooms.take(owner, bytes).await;
        let (answer, ticket) = oneshot::channel();
        match self.items.try_send(Item { prepared, answer, room }) {
            Ok(()) => Ok(Ticket::new(ticket, message_id)),
            Err(_) => Err(SendError::after(Attempts::default(), ended(), &message_id)),
        }
    }
}

/// What callers read when the pipeline's task is gone.
fn ended() -> Refusal {
    Refusal::new(Reason::ConnectionLost, "the sender has ended, since its process shuts down")
}
