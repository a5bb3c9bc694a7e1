//! What clients send to others and is not answered yet.
//!
//! It goes the way of a back end's messages: through a pipeline to the owners, this worker among them. So it is sent again when
//! the ring changes, and of messages to one target none overtakes another. The laws: taking a send never waits, so that no
//! client holds up the others of its link; and a session that moves does so only when its sends have their answers, for a
//! bounded time, so that what its client sends at the next worker does not overtake them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ringway_dispatch::{Allowance, Attempts, Hops, Parcel, Pauses, carry};
use ringway_proto::v1::Receipt;
use ringway_proto::v1::publish_request::Send as Request;
use ringway_proto::{Reason, Refusal};
use ringway_rpc::PublisherConfig;
use ringway_session::SessionId;
use ringway_session::frame::{FrameError, Recipient};
use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::answer;
use crate::worker::Shared;

/// How many sends of all clients may be under way. Beyond it a send is refused as busy.
const SENDS_MAX: usize = 16 * 1024;

/// How long a session that moves may wait for the answers to its sends. Usually they take a millisecond. Longer waits those
/// that go to a session which is itself about to arrive, and that may wait for ours in turn; they have their places by then.
const SETTLE_MAX: Duration = Duration::from_millis(250);

/// The way of all clients' sends out of this worker.
#[derive(Default)]
pub(crate) struct Outgoing {
    pipeline: Mutex<Pipeline>,
    sends: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Default)]
enum Pipeline {
    /// Nothing was sent yet.
    #[default]
    Idle,
    Open(mpsc::Sender<Sent>),
    /// The worker has left.
    Closed,
}

/// The sends of one link.
#[derive(Default)]
pub(super) struct Sends(Arc<Book>);

#[derive(Default)]
struct Book {
    /// How many are under way of each session that has some.
    by_channel: Mutex<FxHashMap<u64, usize>>,
    /// Fires when a send has its answer.
    answered: watch::Sender<()>,
}

/// One send.
pub(super) struct Sending {
    pub(super) channel: u64,
    pub(super) session: SessionId,
    /// The client's own name for it.
    pub(super) reference: Option<String>,
    pub(super) to: Recipient,
    pub(super) request: Request,
    pub(super) payload_bytes: usize,
}

/// A send that is under way.
struct Sent {
    sending: Sending,
    deadline: Instant,
    shared: Arc<Shared>,
    book: Arc<Book>,
    _room: Room,
}

/// A part of what all clients' sends may hold; given back when it is dropped.
struct Room {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Sends {
    /// Puts a send on its way. Its answer goes to the session.
    ///
    /// # Errors
    /// `busy`, if too much is under way.
    pub(super) fn begin(&self, shared: &Arc<Shared>, sending: Sending) -> Result<(), FrameError> {
        let max = shared.config.client.sends_under_way_max;
        let channel = sending.channel;
        if self.0.count(channel) >= max {
            return Err(busy(&format!("{max} sends of this client are under way; wait for their replies")));
        }
        let crowded = || busy("the worker has too much to send for its clients; try again");
        let room = Room::take(shared, sending.payload_bytes).ok_or_else(crowded)?;
        let deadline = Instant::now() + shared.config.peer_timeout;
        let (book, shared) = (Arc::clone(&self.0), Arc::clone(shared));
        let outgoing = Arc::clone(&shared);
        let sent = Sent { sending, deadline, shared, book, _room: room };
        self.0.begin(channel);
        outgoing.outgoing.enter(&outgoing, sent).map_err(|_| {
            self.0.end(channel);
            crowded()
        })
    }

    /// Waits until no send of a session is under way, for a bounded time; nothing if there is none.
    pub(super) fn settled(&self, channel: u64) -> Option<impl Future<Output = ()> + Send + 'static> {
        let book = Arc::clone(&self.0);
        (book.count(channel) > 0).then_some(async move {
            let mut answered = book.answered.subscribe();
            let settled = async { while book.count(channel) > 0 && answered.changed().await.is_ok() {} };
            // Beyond the bound it moves all the same: those that are left have been on their way long enough.
            _ = tokio::time::timeout(SETTLE_MAX, settled).await;
        })
    }
}

impl Outgoing {
    /// Takes nothing any more. What is under way comes to its end.
    pub(crate) fn close(&self) {
        *self.pipeline.lock() = Pipeline::Closed;
    }

    fn enter(&self, shared: &Shared, sent: Sent) -> Result<(), Box<Sent>> {
        let mut pipeline = self.pipeline.lock();
        if matches!(*pipeline, Pipeline::Idle) {
            let (queue, received) = mpsc::channel(SENDS_MAX);
            let publisher = shared.dispatcher.publisher(Hops::FromClient, PublisherConfig::default());
            tokio::spawn(carry(received, publisher, Pauses::default()));
            *pipeline = Pipeline::Open(queue);
        }
        match &*pipeline {
            Pipeline::Open(queue) => queue.try_send(sent).map_err(|refused| Box::new(refused.into_inner())),
            Pipeline::Idle | Pipeline::Closed => Err(Box::new(sent)),
        }
    }
}

impl Parcel for Sent {
    type Target = Recipient;

    fn target(&self) -> Recipient {
        self.sending.to.clone()
    }

    fn request(&self) -> Request {
        self.sending.request.clone()
    }

    fn allowance(&self) -> Allowance {
        Allowance { deadline: self.deadline, retry_ambiguous: false }
    }

    fn retried(&self, reason: Reason) {
        self.shared.metrics.client_send_retried(reason);
    }

    fn conclude(self, answer: Result<Receipt, Refusal>, attempts: Attempts) {
        let Sending { channel, session, reference, .. } = self.sending;
        if let Some(answer) = answer::to_send(reference.as_deref(), answer, attempts) {
            answer::give(&self.shared, session, answer);
        }
        self.book.end(channel);
    }
}

impl Book {
    fn count(&self, channel: u64) -> usize {
        self.by_channel.lock().get(&channel).copied().unwrap_or_default()
    }

    fn begin(&self, channel: u64) {
        *self.by_channel.lock().entry(channel).or_default() += 1;
    }

    fn end(&self, channel: u64) {
        let mut by_channel = self.by_channel.lock();
        if let Some(count) = by_channel.get_mut(&channel) {
            *count -= 1;
            if *count == 0 {
                by_channel.remove(&channel);
            }
        }
        drop(by_channel);
        self.answered.send_replace(());
    }
}

impl Room {
    fn take(shared: &Arc<Shared>, bytes: usize) -> Option<Self> {
        let (outgoing, max) = (&shared.outgoing, shared.config.client.sends_under_way_bytes_max);
        take(&outgoing.sends, 1, SENDS_MAX)?;
        if take(&outgoing.bytes, bytes, max).is_none() {
            outgoing.sends.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Room { shared: Arc::clone(shared), bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.outgoing.sends.fetch_sub(1, Ordering::Relaxed);
        self.shared.outgoing.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn take(held: &AtomicUsize, more: usize, max: usize) -> Option<usize> {
    let with = |held: usize| held.checked_add(more).filter(|held| *held <= max);
    held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).ok()
}

fn busy(why: &str) -> FrameError {
    FrameError::Busy(why.to_owned())
}
