//! The way into the pipeline ([`carry`]): messages go out without waiting for each answer, and are sent again in their turn.
//!
//! The bound holds from the `publish` call to the last answer, so nothing inside needs one of its own.

mod item;
mod room;
mod ticket;

use ringway_dispatch::{Attempts, SplitPublisher, carry};
use ringway_proto::{Reason, Refusal};
use tokio::sync::{mpsc, oneshot};

use crate::config::RetryConfig;
use crate::error::SendError;
use crate::send::Prepared;
use item::Item;
use room::Rooms;
pub use ticket::Ticket;

/// The bounds of a sender's pipeline. The last quarter of each is only for messages whose worker takes what is sent to it, so that
/// a worker that hangs does not stop the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishConfig {
    /// How many messages may be unanswered; beyond it, publishing waits.
    pub in_flight_max: u32,
    /// How many bytes of payload may be unanswered. One message that is larger than three quarters of it counts as these.
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
        let room = self.rooms.take(&self.publisher, &mut prepared.request).await;
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
}

/// What callers read when the pipeline's task is gone.
fn ended() -> Refusal {
    Refusal::new(Reason::ConnectionLost, "the sender has ended, since its process shuts down")
}
