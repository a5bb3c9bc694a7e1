//! The client half of `Delivery.Publish` to one node: requests go out one after the other without waiting for the
//! answers, and each caller gets a ticket for its own answer.
//!
//! - Requests enter the stream in the order of the calls: of two calls, the one that returned before the other began is
//!   first.
//! - At most `in_flight_max` requests and about `in_flight_bytes_max` bytes of payload are unanswered; beyond it
//!   [`Publisher::publish`] waits.
//! - Every ticket resolves. When the stream breaks, all tickets do: with `ConnectionLost` if the request had been handed
//!   to the transport, with `Unreachable` if it surely had not. The next call opens a new stream.
//! - When the last handle is dropped, what was accepted is still sent and answered, for at most `linger`; then the
//!   task ends.

mod book;
mod requests;
mod task;
mod ticket;

use std::sync::Arc;
use std::time::Duration;

use ringway_proto::Refusal;
use ringway_proto::v1::publish_request::Send;
use tokio::sync::Semaphore;

use crate::NodeChannel;
use book::{Book, Room};
use task::PublisherTask;
pub use ticket::PublishTicket;

/// The bounds of a [`Publisher`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublisherConfig {
    /// How many requests may be unanswered.
    pub in_flight_max: u32,
    /// How many bytes of payload may be unanswered. One message that is larger counts as this much.
    pub in_flight_bytes_max: u32,
    /// How long answers are waited for after the last handle was dropped.
    pub linger: Duration,
}

impl Default for PublisherConfig {
    fn default() -> Self {
        PublisherConfig {
            in_flight_max: 4096,
            in_flight_bytes_max: 32 * 1024 * 1024,
            linger: Duration::from_secs(5),
        }
    }
}

/// Publishes to one node. A cheap handle: clones share the stream.
#[derive(Clone, Debug)]
pub struct Publisher(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    book: Arc<Book>,
    config: PublisherConfig,
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Publisher {
    /// A publisher to this node; the stream is opened by the first request. Needs a tokio runtime.
    pub fn new(node: NodeChannel, config: PublisherConfig) -> Self {
        let config = PublisherConfig {
            in_flight_max: config.in_flight_max.max(1),
            in_flight_bytes_max: config.in_flight_bytes_max.max(1),
            ..config
        };
        let book = Arc::new(Book::default());
        tokio::spawn(PublisherTask::new(node, Arc::clone(&book), config.linger).run());
        Publisher(Arc::new(Handle {
            book,
            config,
            requests: Arc::new(Semaphore::new(config.in_flight_max as usize)),
            bytes: Arc::new(Semaphore::new(config.in_flight_bytes_max as usize)),
        }))
    }

    /// Puts a request into the stream, after waiting for room. Dropping the future before it is done sends nothing.
    ///
    /// # Errors
    /// When the publisher's task is gone because the runtime shuts down.
    pub async fn publish(&self, send: Send) -> Result<PublishTicket, Refusal> {
        let handle = &self.0;
        let bytes = payload_bytes(&send).min(handle.config.in_flight_bytes_max as usize);
        let bytes = u32::try_from(bytes).unwrap_or(handle.config.in_flight_bytes_max);
        let room = Room {
            _request: acquire(&handle.requests, 1).await?,
            _bytes: acquire(&handle.bytes, bytes).await?,
        };
        handle.book.enter(send, room)
    }

    /// Waits until everything that was published before is answered; what is published meanwhile waits for that.
    ///
    /// # Errors
    /// As [`publish`](Publisher::publish).
    pub async fn flush(&self) -> Result<(), Refusal> {
        drop(acquire(&self.0.requests, self.0.config.in_flight_max).await?);
        Ok(())
    }

    /// How many requests are unanswered.
    pub fn in_flight(&self) -> usize {
        self.0.config.in_flight_max as usize - self.0.requests.available_permits()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.book.close();
    }
}

async fn acquire(room: &Arc<Semaphore>, count: u32) -> Result<tokio::sync::OwnedSemaphorePermit, Refusal> {
    Arc::clone(room).acquire_many_owned(count).await.map_err(|_| book::gone())
}

/// How many bytes of payload a request of a Publish stream carries: what it counts wherever requests wait.
pub fn payload_bytes(send: &Send) -> usize {
    let message = match send {
        Send::ToUser(request) => request.message.as_ref(),
        Send::ToGroup(request) => request.message.as_ref(),
        Send::ToAll(request) => request.message.as_ref(),
    };
    message.map_or(0, |message| message.payload.len())
}
