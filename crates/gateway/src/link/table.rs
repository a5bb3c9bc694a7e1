//! A link that is up: the table of its channels, and what comes on them.
//!
//! Each frame of the worker is taken to the seat of the session that it is about. A channel is in the table from its `Open`
//! until either side has ended it; numbers are never used twice on a link, so removing by number removes the right one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use ringway_proto::v1::gateway_frame::Frame;
use ringway_proto::v1::worker_frame::Frame as Told;
use ringway_proto::v1::{
    Checkpoint, Close, Deliver, Detached, Move, Open, Opened, PayloadKind, RefusalReason, Refused, StatePart,
    WorkerFrame,
};
use ringway_ring::MemberId;
use ringway_session::relay::{Phase, Refusal};
use ringway_session::{CloseCode, SessionId, frame};
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;
use tracing::{debug, warn};
use tungstenite::{Message, Utf8Bytes};

use super::channel::Channel;
use super::outbound::End;
use super::owed::Owed;
use super::post::Post;
use super::queue::SendQueue;
use super::seat::Seat;
use crate::moving::{Moves, Slot};
use crate::payload::detached;

/// A link that is up: its channels, and what is to be said on it.
pub(crate) struct Link {
    worker: MemberId,
    table: Mutex<Table>,
    queue: SendQueue,
    heard: AtomicU64,
    moves: Arc<Moves>,
}

#[derive(Default)]
struct Table {
    last: u64,
    channels: FxHashMap<u64, Entry>,
    broken: bool,
}

struct Entry {
    seat: Arc<Seat>,
    /// Who waits for the answer to a session's first `Open`.
    answer: Option<oneshot::Sender<Answer>>,
}

/// What a worker answered to an `Open`.
#[derive(Debug)]
pub(crate) enum Answer {
    Opened(Opened),
    Refused(Refused),
    /// It was taken, and closed before it was open.
    Closed(End),
}

/// The link broke before anything was said on it.
#[derive(Debug)]
pub(crate) struct Broken;

impl Link {
    pub(crate) fn new(worker: MemberId, queue_bytes_max: usize, moves: Arc<Moves>) -> Arc<Self> {
        let queue = SendQueue::new(queue_bytes_max, Arc::clone(moves.meters()));
        Arc::new(Self { worker, table: Mutex::default(), queue, heard: AtomicU64::new(0), moves })
    }

    pub(crate) fn queue(&self) -> &SendQueue {
        &self.queue
    }

    /// Asks for a new session. The answer comes in its own time; it never comes if the link breaks.
    pub(crate) fn open(
        self: &Arc<Self>,
        session_id: SessionId,
        open: Open,
    ) -> Result<(Channel, oneshot::Receiver<Answer>), Broken> {
        let (answer, answered) = oneshot::channel();
        let mut table = self.table.lock();
        let post = self.next_post(&mut table)?;
        let number = post.number;
        let resumes = open.resume.is_some();
        let seat = Seat::new(post, session_id, &open.user, resumes, &self.moves);
        table.channels.insert(number, Entry { seat: Arc::clone(&seat), answer: Some(answer) });
        drop(table);
        let session_id = Bytes::copy_from_slice(&session_id.to_bytes());
        self.queue.push(Frame::Open(Open { channel: number, session_id, ..open }));
        Ok((Channel::new(seat, resumes), answered))
    }

    /// Asks for a place for a homeless session, if it wants one.
    pub(crate) fn reopen(self: &Arc<Self>, seat: &Arc<Seat>, slot: Slot) -> Result<(), Broken> {
        let mut table = self.table.lock();
        let post = self.next_post(&mut table)?;
        if seat.ask(&post, slot) {
            table.channels.insert(post.number, Entry { seat: Arc::clone(seat), answer: None });
        }
        Ok(())
    }

    /// Takes what the worker said. To those that are `owed` then, somebody has to write.
    pub(crate) fn take(self: &Arc<Self>, frame: WorkerFrame, owed: &mut Owed) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        match frame.frame {
            Some(Told::Deliver(deliver)) => self.deliver(deliver, owed),
            Some(Told::Opened(opened)) => self.opened(opened),
            Some(Told::Refused(refused)) => self.refused(refused),
            Some(Told::Close(close)) => self.close(close),
            Some(Told::Move(Move { channels })) => {
                channels.into_iter().for_each(|number| self.depart(number));
            }
            Some(Told::StatePart(StatePart { channel, state })) => {
                self.with(channel, |seat, post| seat.state_part(post, detached(state)));
            }
            Some(Told::Detached(Detached { channel, state })) => self.let_go(channel, state),
            Some(Told::Checkpoint(Checkpoint { channel, state })) => {
                self.with(channel, |seat, post| seat.checkpoint(post, &state));
            }
            Some(Told::Welcome(_)) | None => debug!(worker = %self.worker, "a frame that says nothing here"),
        }
    }

    /// Whether there is no channel on it.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.lock().channels.is_empty()
    }

    /// How many sessions are on it.
    pub(crate) fn sessions(&self) -> usize {
        self.table.lock().channels.len()
    }

    /// How many frames the worker has said so far.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Every session on it, for those who speak to all clients at once.
    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        self.table.lock().channels.values().map(|entry| Arc::clone(&entry.seat)).collect()
    }

    /// Makes sessions leave the worker, so many at a time.
    pub(crate) fn dismiss(self: &Arc<Self>, leaving_max: usize) {
        let settled = self.open_at(Phase::Settled);
        let leaving = self.open_at(Phase::Leaving).len();
        for number in settled.into_iter().take(leaving_max.saturating_sub(leaving)) {
            self.depart(number);
        }
    }

    /// Takes every session away from the worker without waiting for what it has of them. Says how many they were.
    pub(crate) fn give_up(self: &Arc<Self>) -> usize {
        let table = self.table.lock();
        let open = table.channels.iter().filter(|(_, entry)| entry.answer.is_none());
        let open: Vec<(u64, Arc<Seat>)> =
            open.map(|(number, entry)| (*number, Arc::clone(&entry.seat))).collect();
        drop(table);
        open.iter().for_each(|(number, seat)| seat.give_up(&self.post(*number)));
        open.len()
    }

    /// Breaks the link: no channel opens any more, those that wait for an answer get none, and open sessions are lost to it.
    /// Says how many those were.
    pub(crate) fn break_off(self: &Arc<Self>) -> usize {
        let mut table = self.table.lock();
        table.broken = true;
        let channels = std::mem::take(&mut table.channels);
        drop(table);
        self.queue.close();
        let open = channels.into_iter().filter(|(_, entry)| entry.answer.is_none());
        open.map(|(number, entry)| entry.seat.lost(&self.post(number))).count()
    }

    /// Forgets a channel.
    pub(crate) fn forget(&self, number: u64) {
        let entry = self.table.lock().channels.remove(&number);
        // Not under the lock: a seat may be dropped with it.
        drop(entry);
    }

    fn post(self: &Arc<Self>, number: u64) -> Post {
        Post { link: Arc::clone(self), number }
    }

    fn next_post(self: &Arc<Self>, table: &mut Table) -> Result<Post, Broken> {
        if table.broken {
            return Err(Broken);
        }
        table.last += 1;
        Ok(self.post(table.last))
    }

    /// The open channels whose sessions are in this phase.
    fn open_at(&self, phase: Phase) -> Vec<u64> {
        let table = self.table.lock();
        let open = table.channels.iter().filter(|(_, entry)| entry.answer.is_none());
        open.filter(|(_, entry)| entry.seat.phase() == phase).map(|(number, _)| *number).collect()
    }

    fn with(self: &Arc<Self>, number: u64, act: impl FnOnce(&Arc<Seat>, &Post)) {
        let seat = self.table.lock().channels.get(&number).map(|entry| Arc::clone(&entry.seat));
        if let Some(seat) = seat {
            act(&seat, &self.post(number));
        }
    }

    fn depart(self: &Arc<Self>, number: u64) {
        self.with(number, |seat, post| seat.depart(post));
    }

    fn let_go(self: &Arc<Self>, number: u64, state: Bytes) {
        let entry = self.table.lock().channels.remove(&number);
        if let Some(Entry { seat, .. }) = entry {
            seat.detached(&self.post(number), detached(state));
        }
    }

    fn deliver(self: &Arc<Self>, deliver: Deliver, owed: &mut Owed) {
        let kind = deliver.kind();
        let Deliver { channels, payload, offsets, .. } = deliver;
        // Out of the worker's batch, all of which would stay as long as the slowest receiver lets it wait.
        let body = Body::of(detached(payload), kind);
        let mut post = self.post(0);
        let table = self.table.lock();
        for (index, number) in channels.into_iter().enumerate() {
            let Some(Entry { seat, .. }) = table.channels.get(&number) else { continue };
            post.number = number;
            let offset = offsets.get(index).copied();
            match body.message(offset, !offsets.is_empty()) {
                Ok(message) => {
                    if seat.deliver(&post, offset, message) {
                        owed.add(Arc::clone(seat));
                    }
                }
                Err(why) => seat.outbound().end(End::new(CloseCode::INTERNAL, why)),
            }
        }
    }

    fn opened(self: &Arc<Self>, opened: Opened) {
        let mut table = self.table.lock();
        let Some(entry) = table.channels.get_mut(&opened.channel) else { return };
        let (seat, answer) = (Arc::clone(&entry.seat), entry.answer.take());
        drop(table);
        seat.opened(&self.post(opened.channel), &opened);
        if let Some(answer) = answer {
            // Nobody waits any more: the channel's guard is gone or about to go, and says so to the worker.
            answer.send(Answer::Opened(opened)).ok();
        }
    }

    fn refused(self: &Arc<Self>, refused: Refused) {
        let entry = self.table.lock().channels.remove(&refused.channel);
        let Some(Entry { seat, answer }) = entry else { return };
        let post = self.post(refused.channel);
        match answer {
            Some(answer) => {
                // The worker knows nothing of it: nothing is to be said to it.
                seat.lost_before_open(&post);
                // As above.
                answer.send(Answer::Refused(refused)).ok();
            }
            None => {
                let reason = refused.reason();
                debug!(worker = %self.worker, reason = reason.as_str_name(), "no place for a session that moves");
                seat.refused(&post, verdict(reason));
            }
        }
    }

    fn close(self: &Arc<Self>, close: Close) {
        let entry = self.table.lock().channels.remove(&close.channel);
        let code = CloseCode::chosen(close.code).unwrap_or_else(|| {
            warn!(worker = %self.worker, code = close.code, "a worker closed with a code that cannot be sent");
            CloseCode::INTERNAL
        });
        let end = End { code, reason: clip(close.reason) };
        let Some(Entry { seat, answer }) = entry else { return };
        seat.closed(&self.post(close.channel), end.clone());
        if let Some(answer) = answer {
            // Nobody waits any more: then there is nobody to be told.
            answer.send(Answer::Closed(end)).ok();
        }
    }
}

/// What a delivery brings to each of its receivers.
enum Body {
    Binary(Bytes),
    Text(Utf8Bytes),
    /// It was to be text, and is none.
    Unreadable,
}

impl Body {
    fn of(payload: Bytes, kind: PayloadKind) -> Self {
        match kind {
            PayloadKind::Binary => Body::Binary(payload),
            PayloadKind::Text | PayloadKind::Json => {
                Utf8Bytes::try_from(payload).map_or(Body::Unreadable, Body::Text)
            }
        }
    }

    /// The message for one of them: in a numbered delivery each has its own.
    fn message(&self, offset: Option<u64>, is_numbered: bool) -> Result<Message, &'static str> {
        match (self, offset) {
            (Body::Binary(payload), None) if !is_numbered => Ok(Message::Binary(payload.clone())),
            (Body::Text(text), None) if !is_numbered => Ok(Message::Text(text.clone())),
            (Body::Text(tail), Some(offset)) => Ok(Message::text(frame::numbered(offset, tail))),
            (Body::Unreadable, _) => Err("a text message was not UTF-8"),
            _ => Err("a numbered message had no number, or was no text"),
        }
    }
}

/// What a refusal means for a session that was open before.
fn verdict(reason: RefusalReason) -> Refusal {
    match reason {
        RefusalReason::NotOwner | RefusalReason::Draining => Refusal::Passing,
        RefusalReason::Full | RefusalReason::TooManySessions | RefusalReason::TooManyGroups => {
            Refusal::Final(CloseCode::TRY_AGAIN_LATER)
        }
        RefusalReason::Invalid | RefusalReason::StateInvalid | RefusalReason::Unspecified => {
            Refusal::Final(CloseCode::INTERNAL)
        }
        RefusalReason::Outdated => Refusal::Final(CloseCode::RESUMED),
    }
}

/// Cuts a close reason to what a close frame holds (RFC 6455 section 5.5), between two characters.
fn clip(mut reason: String) -> Utf8Bytes {
    let mut end = reason.len().min(ringway_session::close::REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason.into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::link;
    use super::*;
    use crate::metrics::Meters;

    /// A worker's batch as it lies in the receive buffer.
    const BATCH_BYTES: usize = 256 * 1024;

    /// A client on a channel with this number: a link counts from 1.
    fn channel(link: &Arc<Link>, number: u64) -> Channel {
        let id = SessionId::new(ringway_ring::Slot::of(b"alice"), number.into());
        let (channel, _) = link.open(id, Open::default()).expect("the link is up");
        let opened = Opened { channel: number, ..Opened::default() };
        link.take(told(Told::Opened(opened)), &mut Owed::default());
        channel
    }

    fn told(frame: Told) -> WorkerFrame {
        WorkerFrame { frame: Some(frame) }
    }

    fn waiting(channel: &Channel) -> Bytes {
        match channel.outbound().take().pop_front() {
            Some(Message::Text(text)) => text.into(),
            Some(Message::Binary(bytes)) => bytes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_small_message_that_waits_does_not_keep_its_batch() {
        let link = link(Meters::new());
        let (first, second) = (channel(&link, 1), channel(&link, 2));
        for kind in [PayloadKind::Text, PayloadKind::Binary] {
            for (payload_bytes, is_let_go) in [(0, true), (1, true), (4096, true), (4097, false)] {
                let batch = Bytes::from(vec![b'x'; BATCH_BYTES]);
                let payload = batch.slice(100..100 + payload_bytes);
                let channels = vec![1, 2];
                let deliver = Deliver { channels, payload, kind: kind.into(), ..Deliver::default() };
                link.take(told(Told::Deliver(deliver)), &mut Owed::default());
                assert_eq!(batch.is_unique(), is_let_go, "{payload_bytes} bytes, {kind:?}");
                let (first, second) = (waiting(&first), waiting(&second));
                assert_eq!(first, vec![b'x'; payload_bytes]);
                assert_eq!(
                    first.as_ptr(),
                    second.as_ptr(),
                    "{payload_bytes} bytes were copied for each receiver"
                );
            }
        }
    }
}
