//! What the clients of one link send to others and is not answered yet.
//!
//! It goes the way of a `Publish` stream that begins and ends in this process: of messages to one target none overtakes
//! another, and none waits for another target's. The laws: taking a send never waits, so that no client holds up the others
//! of its link; and a session that moves does so only when its sends have their answers, for a bounded time, so that what its
//! client sends at the next worker does not overtake them.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ringway_dispatch::serve_publish;
use ringway_proto::Refusal;
use ringway_proto::v1::publish_reply::Result as Reply;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::v1::{PublishReply, PublishRequest};
use ringway_session::SessionId;
use ringway_session::frame::FrameError;
use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::answer;
use crate::delivery::Publishing;
use crate::worker::Shared;

/// How many sends of one link may wait to be looked at. Beyond it a send is refused as busy.
const QUEUE_MAX: usize = 1024;

/// How long a session that moves may wait for the answers to its sends. Usually they take a millisecond. Longer waits those
/// that go to a session which is itself about to arrive, and that may wait for ours in turn.
const SETTLE_MAX: Duration = Duration::from_millis(250);

/// The sends of one link.
pub(super) struct Sends {
    shared: Arc<Shared>,
    /// The stream, from the first send on.
    requests: OnceLock<mpsc::Sender<Result<PublishRequest, Status>>>,
    book: Arc<Book>,
}

/// One send.
pub(super) struct Sending {
    pub(super) channel: u64,
    pub(super) session: SessionId,
    /// The client's own name for it.
    pub(super) reference: Option<String>,
    pub(super) target: Target,
    pub(super) payload_bytes: usize,
}

#[derive(Default)]
struct Book {
    pages: Mutex<Pages>,
    /// Fires when a send has its answer.
    answered: watch::Sender<()>,
}

#[derive(Default)]
struct Pages {
    next: u64,
    under_way: FxHashMap<u64, UnderWay>,
    /// How many they are of each session that has some.
    by_channel: FxHashMap<u64, usize>,
}

struct UnderWay {
    channel: u64,
    session: SessionId,
    reference: Option<String>,
    _room: Room,
}

/// A part of what all clients' sends may hold; given back when it is dropped.
struct Room {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Sends {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Sends { shared, requests: OnceLock::new(), book: Arc::default() }
    }

    /// Puts a send on its way. Its answer goes to the session.
    ///
    /// # Errors
    /// `busy`, if too much is under way.
    pub(super) fn begin(&self, sending: Sending) -> Result<(), FrameError> {
        let Sending { channel, session, reference, target, payload_bytes } = sending;
        let max = self.shared.config.client.sends_under_way_max;
        let mut pages = self.book.pages.lock();
        let of_channel = pages.by_channel.get(&channel).copied().unwrap_or_default();
        if of_channel >= max {
            return Err(busy(&format!("{max} sends of this client are under way; wait for their replies")));
        }
        let crowded = || busy("the worker has too much to send for its clients; try again");
        let room = Room::take(&self.shared, payload_bytes).ok_or_else(crowded)?;
        let sequence = pages.next;
        let request = PublishRequest { sequence, send: Some(target), ..PublishRequest::default() };
        self.requests().try_send(Ok(request)).map_err(|_| crowded())?;
        pages.next += 1;
        pages.by_channel.insert(channel, of_channel + 1);
        pages.under_way.insert(sequence, UnderWay { channel, session, reference, _room: room });
        Ok(())
    }

    /// Waits until no send of a session is under way, for a bounded time; nothing if there is none.
    pub(super) fn settled(&self, channel: u64) -> Option<impl Future<Output = ()> + Send + 'static> {
        let book = Arc::clone(&self.book);
        book.has(channel).then_some(async move {
            let mut answered = book.answered.subscribe();
            let settled = async { while book.has(channel) && answered.changed().await.is_ok() {} };
            // Beyond the bound it moves all the same: those that are left have been on their way long enough.
            _ = tokio::time::timeout(SETTLE_MAX, settled).await;
        })
    }

    fn requests(&self) -> &mpsc::Sender<Result<PublishRequest, Status>> {
        self.requests.get_or_init(|| {
            let (requests, stream) = mpsc::channel(QUEUE_MAX);
            let handler = Publishing::new(Arc::clone(&self.shared));
            let replies = serve_publish(ReceiverStream::new(stream), handler, self.shared.config.publish);
            tokio::spawn(answer_all(Arc::clone(&self.shared), Arc::clone(&self.book), replies));
            requests
        })
    }
}

/// Gives each answer to its session, until the link is gone and everything is answered.
async fn answer_all(
    shared: Arc<Shared>,
    book: Arc<Book>,
    replies: impl Stream<Item = Result<PublishReply, Status>>,
) {
    tokio::pin!(replies);
    // The stream has no error of its own: it begins in this process.
    while let Some(Ok(PublishReply { sequence, result })) = replies.next().await {
        let Some(sent) = book.pages.lock().take(sequence) else { continue };
        let answer = match result {
            Some(Reply::Receipt(receipt)) => Ok(receipt),
            Some(Reply::Error(error)) => Err(Refusal::from_publish_error(error)),
            None => continue,
        };
        if let Some(answer) = answer::to_send(sent.reference.as_deref(), answer) {
            answer::give(&shared, sent.session, answer);
        }
        book.answered.send_replace(());
    }
}

impl Book {
    fn has(&self, channel: u64) -> bool {
        self.pages.lock().by_channel.contains_key(&channel)
    }
}

impl Pages {
    fn take(&mut self, sequence: u64) -> Option<UnderWay> {
        let sent = self.under_way.remove(&sequence)?;
        if let Some(count) = self.by_channel.get_mut(&sent.channel) {
            *count -= 1;
            if *count == 0 {
                self.by_channel.remove(&sent.channel);
            }
        }
        Some(sent)
    }
}

impl Room {
    fn take(shared: &Arc<Shared>, bytes: usize) -> Option<Self> {
        let max = shared.config.client.sends_under_way_bytes_max;
        let with = |held: usize| held.checked_add(bytes).filter(|held| *held <= max);
        let held: &AtomicUsize = &shared.client_bytes;
        held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).ok()?;
        Some(Room { shared: Arc::clone(shared), bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.client_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn busy(why: &str) -> FrameError {
    FrameError::Busy(why.to_owned())
}
