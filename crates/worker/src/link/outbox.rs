//! What waits for one link: frames, in order.
//!
//! Whoever puts frames in never waits; the table of sessions bounds how much it directs to a link, and whoever can wait
//! asks for [`room`](Outbox::room) afterwards. The link's stream takes all there is at each wake-up, so that many frames
//! share one gRPC message. Frames whose making takes long are [made](Outbox::push_later) by the stream: what must be in order
//! is their place.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ringway_proto::v1::worker_frame::Frame;
use ringway_proto::v1::{WorkerFrame, WorkerFrames};
use ringway_session::deliver_cost_bytes;
use tokio::sync::Notify;

/// A batch is closed when it has reached this many bytes.
const BATCH_BYTES: u64 = 256 << 10;
/// What a frame counts that is no message.
const FRAME_BYTES: u64 = 64;

type MakeFrames = Box<dyn FnOnce() -> Vec<Frame> + Send>;

#[derive(Debug)]
pub(crate) struct Outbox {
    pending: Mutex<Pending>,
    /// Frames have come, or the outbox was closed.
    work: Notify,
    /// Frames have gone, or the outbox was closed.
    gone: Notify,
    bytes_high: u64,
}

#[derive(Debug, Default)]
struct Pending {
    frames: VecDeque<Waiting>,
    bytes: u64,
    /// Since when frames wait without any being taken.
    waiting_since: Option<Instant>,
    closed: bool,
}

enum Waiting {
    Frame(Frame),
    /// Frames that are made when they are next; none while they are being made.
    Later {
        make: Option<MakeFrames>,
        bytes: u64,
    },
}

/// What the link's stream takes at once.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) frames: WorkerFrames,
    /// The cost of the messages among them.
    pub(crate) message_bytes: u64,
}

impl Outbox {
    /// An outbox that has room while no more than `bytes_high` are waiting.
    pub(crate) fn new(bytes_high: u64) -> Self {
        Outbox { pending: Mutex::default(), work: Notify::new(), gone: Notify::new(), bytes_high }
    }

    /// Adds a frame, unless the outbox is closed.
    pub(crate) fn push(&self, frame: Frame) {
        self.add(Waiting::Frame(frame));
    }

    /// Adds frames of about so many bytes in all that are made when they leave, unless the outbox is closed.
    pub(crate) fn push_later(&self, bytes: u64, make: impl FnOnce() -> Vec<Frame> + Send + 'static) {
        self.add(Waiting::Later { make: Some(Box::new(make)), bytes });
    }

    fn add(&self, waiting: Waiting) {
        let mut pending = self.pending.lock();
        if pending.closed {
            return;
        }
        pending.bytes += waiting.bytes();
        pending.frames.push_back(waiting);
        pending.waiting_since.get_or_insert_with(Instant::now);
        drop(pending);
        self.work.notify_one();
    }

    /// The next frames; none when the outbox is closed and empty.
    pub(crate) async fn next(&self) -> Option<Batch> {
        loop {
            let notified = self.work.notified();
            self.make_next();
            if let Some(batch) = self.take() {
                self.gone.notify_waiters();
                return Some(batch);
            }
            if self.pending.lock().closed {
                return None;
            }
            notified.await;
        }
    }

    /// Waits until no more than `bytes_high` are waiting, or the outbox is closed.
    pub(crate) async fn room(&self) {
        self.until(|pending| pending.bytes <= self.bytes_high).await;
    }

    /// Waits until everything is gone, or the outbox is closed.
    pub(crate) async fn flushed(&self) {
        self.until(|pending| pending.frames.is_empty()).await;
    }

    /// Waits until the outbox is closed.
    pub(crate) async fn closed(&self) {
        self.until(|_| false).await;
    }

    /// No further frames; those that wait still go.
    pub(crate) fn close(&self) {
        self.pending.lock().closed = true;
        self.work.notify_one();
        self.gone.notify_waiters();
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.pending.lock().bytes
    }

    /// For how long frames wait without any being taken.
    pub(crate) fn stalled_for(&self) -> Duration {
        self.pending.lock().waiting_since.map(|since| since.elapsed()).unwrap_or_default()
    }

    async fn until(&self, done: impl Fn(&Pending) -> bool) {
        loop {
            let notified = self.gone.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            {
                let pending = self.pending.lock();
                if pending.closed || done(&pending) {
                    return;
                }
            }
            notified.await;
        }
    }

    /// Makes the frames that are next, if they are to be made. Whoever puts frames in does not wait for that, and goes behind them.
    fn make_next(&self) {
        let make = match self.pending.lock().frames.front_mut() {
            Some(Waiting::Later { make, .. }) => make.take(),
            _ => None,
        };
        let Some(make) = make else { return };
        let frames = make();
        let mut pending = self.pending.lock();
        let placeholder = pending.frames.pop_front();
        pending.bytes -= placeholder.map_or(0, |placeholder| placeholder.bytes());
        for frame in frames.into_iter().rev().map(Waiting::Frame) {
            pending.bytes += frame.bytes();
            pending.frames.push_front(frame);
        }
    }

    fn take(&self) -> Option<Batch> {
        let mut pending = self.pending.lock();
        let mut frames = Vec::with_capacity(pending.frames.len().min(64));
        let (mut bytes, mut message_bytes) = (0, 0);
        while bytes < BATCH_BYTES
            && let Some(Waiting::Frame(_)) = pending.frames.front()
            && let Some(Waiting::Frame(frame)) = pending.frames.pop_front()
        {
            let cost = frame_bytes(&frame);
            bytes += cost;
            if let Frame::Deliver(_) = frame {
                message_bytes += cost;
            }
            frames.push(WorkerFrame { frame: Some(frame) });
        }
        pending.bytes -= bytes;
        pending.waiting_since = (!pending.frames.is_empty()).then(Instant::now);
        if pending.frames.is_empty() {
            pending.frames.shrink_to(64);
        }
        (!frames.is_empty()).then_some(Batch { frames: WorkerFrames { frames }, message_bytes })
    }
}

impl Waiting {
    fn bytes(&self) -> u64 {
        match self {
            Waiting::Frame(frame) => frame_bytes(frame),
            Waiting::Later { bytes, .. } => *bytes,
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Waiting::Frame(frame) => fmt::Debug::fmt(frame, f),
            Waiting::Later { bytes, .. } => write!(f, "about {bytes} bytes that are not made yet"),
        }
    }
}

fn frame_bytes(frame: &Frame) -> u64 {
    match frame {
        Frame::Deliver(deliver) => {
            deliver_cost_bytes(deliver.payload.len(), deliver.channels.len() + deliver.offsets.len())
        }
        Frame::StatePart(part) => part.state.len() as u64 + FRAME_BYTES,
        Frame::Detached(detached) => detached.state.len() as u64 + FRAME_BYTES,
        Frame::Checkpoint(checkpoint) => checkpoint.state.len() as u64 + FRAME_BYTES,
        Frame::Opened(opened) => opened.state.len() as u64 + FRAME_BYTES,
        Frame::Move(moved) => 8 * moved.channels.len() as u64 + FRAME_BYTES,
        Frame::Refused(_) | Frame::Close(_) | Frame::Welcome(_) => FRAME_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use ringway_proto::v1::Deliver;

    use super::*;

    fn deliver(bytes: usize) -> Frame {
        Frame::Deliver(Deliver {
            channels: vec![],
            payload: Bytes::from(vec![0; bytes]),
            kind: 0,
            offsets: vec![],
        })
    }

    #[tokio::test]
    async fn frames_go_in_order_and_in_batches() {
        let outbox = Outbox::new(1 << 20);
        let sizes = [10, 200 << 10, 100 << 10, 20];
        for size in sizes {
            outbox.push(deliver(size));
        }
        outbox.close();
        let mut batches = Vec::new();
        while let Some(batch) = outbox.next().await {
            let sizes = batch.frames.frames.iter().map(|frame| match &frame.frame {
                Some(Frame::Deliver(deliver)) => deliver.payload.len(),
                _ => unreachable!(),
            });
            batches.push(sizes.collect::<Vec<_>>());
        }
        assert_eq!(batches, [vec![10, 200 << 10, 100 << 10], vec![20]]);
    }

    #[tokio::test]
    async fn frames_that_are_made_later_keep_their_place() {
        let outbox = Arc::new(Outbox::new(1 << 20));
        outbox.push(deliver(1));
        let same = Arc::clone(&outbox);
        outbox.push_later(1000, move || {
            assert_eq!(same.bytes(), 1000 + frame_bytes(&deliver(4)), "they wait until they are made");
            // Whoever sends meanwhile goes behind them.
            same.push(deliver(5));
            vec![deliver(2), deliver(3)]
        });
        outbox.push(deliver(4));
        let mut sizes = Vec::new();
        while outbox.bytes() > 0 {
            let batch = outbox.next().await.unwrap();
            sizes.extend(batch.frames.frames.iter().map(|frame| match &frame.frame {
                Some(Frame::Deliver(deliver)) => deliver.payload.len(),
                _ => unreachable!(),
            }));
        }
        assert_eq!(sizes, [1, 2, 3, 4, 5]);
    }

    #[tokio::test]
    async fn who_sends_too_much_waits_until_it_is_gone() {
        let outbox = Outbox::new(1000);
        outbox.push(deliver(100));
        outbox.room().await;
        outbox.push(deliver(1000));
        let (batch, ()) = tokio::join!(outbox.next(), outbox.room());
        assert_eq!(batch.map(|batch| batch.frames.frames.len()), Some(2));
        assert_eq!(outbox.bytes(), 0);
    }

    #[tokio::test]
    async fn a_closed_outbox_lets_everybody_go() {
        let outbox = Outbox::new(1000);
        outbox.push(deliver(4000));
        outbox.close();
        outbox.push(deliver(1));
        tokio::join!(outbox.room(), outbox.flushed(), outbox.closed());
        assert_eq!(outbox.next().await.map(|batch| batch.message_bytes), Some(4064));
        assert_eq!(outbox.next().await, None);
    }

    #[tokio::test]
    async fn a_stall_lasts_until_something_is_taken() {
        let outbox = Outbox::new(1000);
        assert_eq!(outbox.stalled_for(), Duration::ZERO);
        outbox.push(deliver(1));
        std::thread::sleep(Duration::from_millis(2));
        assert!(outbox.stalled_for() >= Duration::from_millis(2));
        outbox.next().await;
        assert_eq!(outbox.stalled_for(), Duration::ZERO);
    }
}
