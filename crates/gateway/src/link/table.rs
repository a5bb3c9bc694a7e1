//! One session's end of a link, and the table of them.
//!
//! A [`Channel`] is a guard: as long as it lives, the link passes the session's frames, and when it is dropped, on
//! whatever path, the worker is told `Gone`, unless the worker ended the channel itself. Numbers are never used twice on
//! a link, so removing by number removes the right one.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use ringway_proto::v1::gateway_frame::Frame;
use ringway_proto::v1::worker_frame::Frame as Told;
use ringway_proto::v1::{
    ClientMessage, Close, Deliver, Gone, Open, Opened, PayloadKind, Refused, WorkerFrame,
};
use ringway_ring::MemberId;
use ringway_session::CloseCode;
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;
use tracing::{debug, warn};
use tungstenite::{Message, Utf8Bytes};

use super::outbound::{End, Outbound};
use super::queue::{SendQueue, WaitingSince};
use crate::metrics::Meters;
use crate::payload::detached;

/// A link that is up: its channels, and what is to be said on it.
pub(crate) struct Link {
    worker: MemberId,
    table: Mutex<Table>,
    queue: SendQueue,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct Table {
    last: u64,
    channels: FxHashMap<u64, Entry>,
    broken: bool,
}

enum Entry {
    Opening(Arc<Outbound>, oneshot::Sender<Answer>),
    Open(Arc<Outbound>),
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

/// One session's end of a link.
pub(crate) struct Channel {
    link: Arc<Link>,
    number: u64,
    outbound: Arc<Outbound>,
    gone_code: CloseCode,
    /// Whether the session is over for the worker, and nothing more is to be said of it.
    has_left: bool,
}

impl Link {
    pub(crate) fn new(worker: MemberId, queue_bytes_max: usize, meters: Arc<Meters>) -> Arc<Self> {
        let queue = SendQueue::new(queue_bytes_max, Arc::clone(&meters));
        Arc::new(Self { worker, table: Mutex::default(), queue, meters })
    }

    pub(crate) fn queue(&self) -> &SendQueue {
        &self.queue
    }

    /// Asks for a session. The answer comes in its own time; it never comes if the link breaks.
    pub(crate) fn open(self: &Arc<Self>, open: Open) -> Result<(Channel, oneshot::Receiver<Answer>), Broken> {
        let outbound = Arc::new(Outbound::new(Arc::clone(&self.meters)));
        let (answer, answered) = oneshot::channel();
        let mut table = self.table.lock();
        if table.broken {
            return Err(Broken);
        }
        table.last += 1;
        let number = table.last;
        table.channels.insert(number, Entry::Opening(Arc::clone(&outbound), answer));
        drop(table);
        self.queue.push(Frame::Open(Open { channel: number, ..open }));
        let gone_code = CloseCode::ABNORMAL;
        Ok((Channel { link: Arc::clone(self), number, outbound, gone_code, has_left: false }, answered))
    }

    /// Takes what the worker said.
    pub(crate) fn take(&self, frame: WorkerFrame) {
        match frame.frame {
            Some(Told::Deliver(deliver)) => self.deliver(deliver),
            Some(Told::Opened(opened)) => self.opened(opened),
            Some(Told::Refused(refused)) => self.refused(refused),
            Some(Told::Close(close)) => self.close(close),
            Some(
                Told::Welcome(_)
                | Told::Move(_)
                | Told::StatePart(_)
                | Told::Detached(_)
                | Told::Checkpoint(_),
            )
            | None => debug!(worker = %self.worker, "a frame that says nothing here"),
        }
    }

    /// Whether there is no channel on it.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.lock().channels.is_empty()
    }

    /// Every channel's queue, for those who speak to all clients at once.
    pub(crate) fn outbounds(&self) -> Vec<Arc<Outbound>> {
        self.table.lock().channels.values().map(|entry| Arc::clone(entry.outbound())).collect()
    }

    /// Breaks the link: no channel opens any more, those that wait for an answer get none. Gives what was open.
    pub(crate) fn break_off(&self) -> Vec<Arc<Outbound>> {
        let mut table = self.table.lock();
        table.broken = true;
        let channels = std::mem::take(&mut table.channels);
        drop(table);
        self.queue.close();
        let open = channels.into_values().filter_map(|entry| match entry {
            Entry::Opening(..) => None,
            Entry::Open(outbound) => Some(outbound),
        });
        open.collect()
    }

    fn deliver(&self, deliver: Deliver) {
        let kind = deliver.kind();
        // Out of the worker's batch, all of which would stay as long as the slowest receiver lets it wait.
        let payload = detached(deliver.payload);
        let message = match kind {
            PayloadKind::Binary => Ok(Message::Binary(payload)),
            PayloadKind::Text | PayloadKind::Json => Utf8Bytes::try_from(payload).map(Message::Text),
        };
        let table = self.table.lock();
        for outbound in
            deliver.channels.iter().filter_map(|number| table.channels.get(number)).map(Entry::outbound)
        {
            match &message {
                Ok(message) => outbound.push(message.clone()),
                Err(_) => outbound.end(End::new(CloseCode::INTERNAL, "a text message was not UTF-8")),
            }
        }
    }

    fn opened(&self, opened: Opened) {
        let mut table = self.table.lock();
        let Some(entry) = table.channels.get_mut(&opened.channel) else { return };
        let open = Entry::Open(Arc::clone(entry.outbound()));
        if let Entry::Opening(_, answer) = std::mem::replace(entry, open) {
            // Nobody waits any more: the channel's guard is gone or about to go, and says so to the worker.
            answer.send(Answer::Opened(opened)).ok();
        }
    }

    fn refused(&self, refused: Refused) {
        let entry = self.table.lock().channels.remove(&refused.channel);
        if let Some(Entry::Opening(_, answer)) = entry {
            // As above, only that there is nothing to say to the worker.
            answer.send(Answer::Refused(refused)).ok();
        }
    }

    fn close(&self, close: Close) {
        let entry = self.table.lock().channels.remove(&close.channel);
        let code = CloseCode::chosen(close.code).unwrap_or_else(|| {
            warn!(worker = %self.worker, code = close.code, "a worker closed with a code that cannot be sent");
            CloseCode::INTERNAL
        });
        let end = End { code, reason: clip(close.reason) };
        match entry {
            Some(Entry::Opening(_, answer)) => {
                // Nobody waits any more: then there is nobody to be told.
                answer.send(Answer::Closed(end)).ok();
            }
            Some(Entry::Open(outbound)) => outbound.end(end),
            None => {}
        }
    }

    /// Forgets a channel. Says whether there was one.
    fn forget(&self, number: u64) -> bool {
        self.table.lock().channels.remove(&number).is_some()
    }
}

impl Entry {
    fn outbound(&self) -> &Arc<Outbound> {
        match self {
            Entry::Opening(outbound, _) | Entry::Open(outbound) => outbound,
        }
    }
}

impl Channel {
    /// What the worker has for the client.
    pub(crate) fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// Names the task to be woken when the worker has something for the client.
    pub(crate) fn register(&self, reader: &Waker) {
        self.outbound.register(reader);
    }

    /// Whether the link has room for another message of this client.
    pub(crate) fn poll_room(&self, cx: &Context<'_>, since: &mut WaitingSince) -> Poll<()> {
        self.link.queue.poll_room(cx, since)
    }

    /// Passes a client's message on.
    pub(crate) fn send(&self, payload: Bytes, kind: PayloadKind) {
        let message = ClientMessage { channel: self.number, payload, kind: kind.into() };
        self.link.queue.push(Frame::Message(message));
    }

    /// Notes that messages of this cost have left for the client.
    pub(crate) fn written(&self, cost_bytes: u64) {
        if self.has_left {
            self.outbound.written(cost_bytes);
        } else {
            self.link.queue.written(self.number, &self.outbound, cost_bytes);
        }
    }

    /// Notes the close code that the client has sent, or 1005 for none (RFC 6455 section 7.1.5).
    pub(crate) fn set_gone_code(&mut self, code: CloseCode) {
        self.gone_code = code;
    }

    /// Tells the worker now that the client is gone, unless it knows, before the guard is dropped.
    pub(crate) fn leave(&mut self) {
        self.has_left = true;
        if self.link.forget(self.number) {
            self.outbound.tell();
            let code = self.gone_code.as_u16().into();
            self.link.queue.push(Frame::Gone(Gone { channel: self.number, code, may_resume: false }));
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.leave();
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
    use super::*;

    /// A worker's batch as it lies in the receive buffer.
    const BATCH_BYTES: usize = 256 * 1024;

    fn link() -> Arc<Link> {
        Link::new(MemberId::new("w1").expect("an id"), 1024, Meters::new())
    }

    fn channel(link: &Arc<Link>) -> Channel {
        let (channel, _) = link.open(Open::default()).expect("the link is up");
        link.take(told(Told::Opened(Opened { channel: channel.number, ..Opened::default() })));
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
        let link = link();
        let (first, second) = (channel(&link), channel(&link));
        for kind in [PayloadKind::Text, PayloadKind::Binary] {
            for (payload_bytes, is_let_go) in [(0, true), (1, true), (4096, true), (4097, false)] {
                let batch = Bytes::from(vec![b'x'; BATCH_BYTES]);
                let payload = batch.slice(100..100 + payload_bytes);
                let channels = vec![first.number, second.number];
                link.take(told(Told::Deliver(Deliver { channels, payload, kind: kind.into() })));
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
