//! What waits for one link: frames, in order, bounded in bytes.
//!
//! Whoever puts frames in never waits; whoever can wait asks for [`room`](Outbox::room) afterwards. The link's stream
//! takes all there is at each wake-up, so that many frames share one gRPC message.

use std::collections::VecDeque;

use parking_lot::Mutex;
use ringway_proto::v1::worker_frame::Frame;
use ringway_proto::v1::{WorkerFrame, WorkerFrames};
use tokio::sync::Notify;

/// A batch is closed when it has reached this many bytes.
const BATCH_BYTES: usize = 256 << 10;
/// What a frame counts beside its payload and its channels.
const FRAME_BYTES: usize = 64;

#[derive(Debug)]
pub(crate) struct Outbox {
    pending: Mutex<Pending>,
    /// Frames have come, or the outbox was closed.
    work: Notify,
    /// Frames have gone, or the outbox was closed.
    gone: Notify,
    bytes_high: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Pending {
    frames: VecDeque<Frame>,
    bytes: usize,
    closed: bool,
}

/// How full an outbox is after a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    Low,
    High,
}

impl Outbox {
    pub(crate) fn new(bytes_high: usize, bytes_max: usize) -> Self {
        Outbox { pending: Mutex::default(), work: Notify::new(), gone: Notify::new(), bytes_high, bytes_max }
    }

    /// Adds a frame. Beyond `bytes_max` the outbox closes, and with it the link.
    pub(crate) fn push(&self, frame: Frame) -> Fill {
        let mut pending = self.pending.lock();
        if pending.closed {
            return Fill::Low;
        }
        pending.bytes += frame_bytes(&frame);
        pending.frames.push_back(frame);
        let bytes = pending.bytes;
        if bytes > self.bytes_max {
            *pending = Pending { closed: true, ..Pending::default() };
            self.gone.notify_waiters();
        }
        drop(pending);
        self.work.notify_one();
        if bytes > self.bytes_high { Fill::High } else { Fill::Low }
    }

    /// The next frames; none when the outbox is closed and empty.
    pub(crate) async fn next(&self) -> Option<WorkerFrames> {
        loop {
            let notified = self.work.notified();
            if let Some(batch) = self.take() {
                self.gone.notify_waiters();
                return Some(batch);
            }
            if self.is_closed() {
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

    pub(crate) fn bytes(&self) -> usize {
        self.pending.lock().bytes
    }

    fn is_closed(&self) -> bool {
        self.pending.lock().closed
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

    fn take(&self) -> Option<WorkerFrames> {
        let mut pending = self.pending.lock();
        let mut frames = Vec::with_capacity(pending.frames.len().min(64));
        let mut bytes = 0;
        while bytes < BATCH_BYTES
            && let Some(frame) = pending.frames.pop_front()
        {
            bytes += frame_bytes(&frame);
            frames.push(WorkerFrame { frame: Some(frame) });
        }
        pending.bytes -= bytes;
        if pending.frames.is_empty() {
            pending.frames.shrink_to(64);
        }
        (!frames.is_empty()).then_some(WorkerFrames { frames })
    }
}

fn frame_bytes(frame: &Frame) -> usize {
    FRAME_BYTES
        + match frame {
            Frame::Deliver(deliver) => deliver.payload.len() + 8 * deliver.channels.len(),
            Frame::Refused(refused) => refused.message.len(),
            Frame::Close(close) => close.reason.len(),
            Frame::Welcome(_) | Frame::Opened(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ringway_proto::v1::Deliver;

    use super::*;

    fn deliver(bytes: usize) -> Frame {
        Frame::Deliver(Deliver { channels: vec![], payload: Bytes::from(vec![0; bytes]), kind: 0 })
    }

    #[tokio::test]
    async fn frames_go_in_order_and_in_batches() {
        let outbox = Outbox::new(1 << 20, 1 << 30);
        let sizes = [10, 200 << 10, 100 << 10, 20];
        for size in sizes {
            outbox.push(deliver(size));
        }
        outbox.close();
        let mut batches = Vec::new();
        while let Some(batch) = outbox.next().await {
            let sizes = batch.frames.iter().map(|frame| match &frame.frame {
                Some(Frame::Deliver(deliver)) => deliver.payload.len(),
                _ => unreachable!(),
            });
            batches.push(sizes.collect::<Vec<_>>());
        }
        assert_eq!(batches, [vec![10, 200 << 10, 100 << 10], vec![20]]);
    }

    #[tokio::test]
    async fn who_sends_too_much_waits_until_it_is_gone() {
        let outbox = Outbox::new(1000, 1 << 30);
        assert_eq!(outbox.push(deliver(100)), Fill::Low);
        outbox.room().await;
        assert_eq!(outbox.push(deliver(1000)), Fill::High);
        let (batch, ()) = tokio::join!(outbox.next(), outbox.room());
        assert_eq!(batch.map(|batch| batch.frames.len()), Some(2));
        assert_eq!(outbox.bytes(), 0);
    }

    #[tokio::test]
    async fn a_stuck_link_ends() {
        let outbox = Outbox::new(1000, 5000);
        outbox.push(deliver(4000));
        outbox.push(deliver(4000));
        assert_eq!(outbox.next().await, None);
        outbox.room().await;
        outbox.flushed().await;
    }
}
