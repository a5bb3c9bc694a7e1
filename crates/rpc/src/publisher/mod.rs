//! The client half of `Delivery.Publish` to one node: requests go out one after the other without waiting for the
//! answers, and each caller gets a ticket for its own answer.
//!
//! - Requests are taken in the order in which they entered; those that enter after the stream broke are on another one.
//! - At most `in_flight_max` requests and about `in_flight_bytes_max` bytes of payload are unanswered; beyond it
//!   [`Publisher::reserve`] waits, and [`Publisher::try_reserve`] has nothing to give.
//! - Every ticket resolves. When the stream breaks, all tickets do: with `ConnectionLost` if the request had been handed
//!   to the transport, with `Unreachable` if it surely had not. A node that ends says that it has taken nothing that it has not
//!   answered: these tickets resolve with `Draining`. The next call opens a new stream.
//! - When the last handle is dropped, what was accepted is still sent and answered, for at most `linger`; then the
//!   task ends.

mod book;
mod requests;
mod task;
mod ticket;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use ringway_proto::Refusal;
use ringway_proto::v1::Turn;
use ringway_proto::v1::publish_request::Send;
use tokio::sync::Semaphore;

use crate::NodeChannel;
pub use book::StreamId;
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

/// Publishes to one node. A cheap handle: clones share the stream, and are equal.
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
        let book = Arc::new(Book::new());
        tokio::spawn(PublisherTask::new(node, Arc::clone(&book), config.linger).run());
        Publisher(Arc::new(Handle {
            book,
            config,
            requests: Arc::new(Semaphore::new(config.in_flight_max as usize)),
            bytes: Arc::new(Semaphore::new(config.in_flight_bytes_max as usize)),
        }))
    }

    /// Waits for room for a request; whoever waits gets it in the order of the calls. What was reserved and is not used is
    /// given back.
    ///
    /// # Errors
    /// When the publisher's task is gone because the runtime shuts down.
    pub fn reserve(
        &self,
        send: &Send,
    ) -> impl Future<Output = Result<Reserved, Refusal>> + std::marker::Send + use<> {
        let (publisher, bytes) = (self.clone(), self.bytes_of(send));
        async move {
            let Handle { requests, bytes: room, .. } = &*publisher.0;
            let room = Room { _request: acquire(requests, 1).await?, _bytes: acquire(room, bytes).await? };
            Ok(Reserved { publisher, room })
        }
    }

    /// Room for a request, if there is some that nobody waits for.
    pub fn try_reserve(&self, send: &Send) -> Option<Reserved> {
        let room = Room {
            _request: Arc::clone(&self.0.requests).try_acquire_owned().ok()?,
            _bytes: Arc::clone(&self.0.bytes).try_acquire_many_owned(self.bytes_of(send)).ok()?,
        };
        Some(Reserved { publisher: self.clone(), room })
    }

    /// What a request counts: one that is larger than all of the room counts as this much.
    fn bytes_of(&self, send: &Send) -> u32 {
        let max = self.0.config.in_flight_bytes_max;
        u32::try_from(payload_bytes(send)).unwrap_or(max).min(max)
    }
}

impl PartialEq for Publisher {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Publisher {}

impl Hash for Publisher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// Room for one request.
#[derive(Debug)]
#[must_use = "what is reserved is for a request that enters"]
pub struct Reserved {
    publisher: Publisher,
    room: Room,
}

/// A request is on its way.
#[derive(Debug)]
pub struct Entered {
    /// The claim to its answer.
    pub ticket: PublishTicket,
    /// The stream that it is on. Requests on one stream are taken in their order.
    pub stream: StreamId,
}

/// A request did not enter.
#[derive(Debug)]
pub enum Unentered {
    /// The stream that it was to follow others on is not this one, or not any more: it is given back.
    OtherStream(Box<Send>),
    /// The publisher's task is gone because the runtime shuts down.
    Gone(Refusal),
}

impl Reserved {
    /// The stream that a request would enter now.
    pub fn stream(&self) -> StreamId {
        self.publisher.0.book.stream()
    }

    /// Puts a request into the stream, at once. One that has to follow others says on which stream they are.
    ///
    /// # Errors
    /// [`Unentered`].
    pub fn enter(self, send: Send, turn: Turn, after: Option<StreamId>) -> Result<Entered, Unentered> {
        self.publisher.0.book.enter(send, turn, after, self.room)
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
