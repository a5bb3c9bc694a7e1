//! What a gateway has to say on one link: frames in order, taken whole by the link's writer.
//!
//! Nothing is ever dropped here. Above the bound the clients of the link are not read any more ([`SendQueue::poll_room`])
//! until the writer has made room; frames that cannot wait (opens, reports, ends) go in all the same, one for each client
//! at most.
//!
//! Reports of written bytes are not urgent as long as the client's window has room: they gather for [`REPORT_INTERVAL`], so that
//! a quiet client's messages do not cost a frame each in the other direction, and then share one.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use prost::Message as _;
use ringway_proto::v1::gateway_frame::Frame;
use ringway_proto::v1::{GatewayFrame, Written};
use tokio::sync::Notify;

use super::outbound::Untold;
use super::seat::Seat;
use crate::metrics::Meters;

/// How long reports of written bytes gather.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_millis(100);
/// From how many written bytes on a client's report does not wait: a small part of the usual window (256 KiB). If the window is
/// small, half of it: otherwise it would be full until the report.
const REPORT_NOW_BYTES: u64 = 16 * 1024;
/// How many reports one frame carries (link.proto).
const REPORTS_MAX: usize = 1024;
/// What a report counts: two numbers, each of ten bytes at most.
const REPORT_BYTES: usize = 20;
/// What each frame counts beside its payload, or beside an `Open`.
const FRAME_OVERHEAD_BYTES: usize = 64;

/// The next round of waiting, in any queue: a reader that comes from another queue is never taken for one of this.
static ROUNDS: AtomicU64 = AtomicU64::new(1);

/// The queue towards one worker.
pub(crate) struct SendQueue {
    state: Mutex<State>,
    writer: Notify,
    /// Whether there is no room: a look at it without the lock, for each time that a client is read.
    full: AtomicBool,
    bytes_max: usize,
    /// From how many written bytes on a client's report does not wait.
    report_now_bytes: AtomicU64,
    meters: Arc<Meters>,
}

struct State {
    frames: Vec<GatewayFrame>,
    /// Cost of the frames here and of those that the writer has taken and not sent.
    bytes: usize,
    /// Channels with written bytes to report.
    reports: Vec<Report>,
    /// Readers that wait for room, each once in a round.
    waiting: Vec<Waker>,
    round: NonZeroU64,
    closed: bool,
}

/// Written bytes of a channel, as long as its session is there.
struct Report {
    channel: u64,
    seat: Arc<Seat>,
    tenure: u32,
}

/// In which round of waiting a reader has left its waker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaitingSince(Option<NonZeroU64>);

impl SendQueue {
    pub(crate) fn new(bytes_max: usize, meters: Arc<Meters>) -> Self {
        let state = State {
            frames: Vec::new(),
            bytes: 0,
            reports: Vec::new(),
            waiting: Vec::new(),
            round: next_round(),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            writer: Notify::new(),
            full: AtomicBool::new(false),
            bytes_max,
            report_now_bytes: AtomicU64::new(REPORT_NOW_BYTES),
            meters,
        }
    }

    /// Reports by what the worker says its clients' windows are; 0 if it does not say.
    pub(crate) fn heed_window(&self, window_bytes: u64) {
        let bytes = match window_bytes {
            0 => REPORT_NOW_BYTES,
            _ => REPORT_NOW_BYTES.min(window_bytes.div_ceil(2)),
        };
        self.report_now_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Puts a frame in. On a broken link it is forgotten: what it spoke of is gone.
    pub(crate) fn push(&self, frame: Frame) {
        let mut state = self.state.lock();
        let was_empty = state.frames.is_empty();
        self.add(&mut state, frame);
        drop(state);
        if was_empty {
            self.writer.notify_one();
        }
    }

    /// Notes what a channel's worker has not been told of what left for the client, to be reported soon.
    pub(crate) fn written(&self, channel: u64, seat: &Arc<Seat>, untold: Untold) {
        let Untold { bytes, is_news, tenure } = untold;
        if bytes >= self.report_now_bytes.load(Ordering::Relaxed) {
            let bytes = seat.outbound().tell(tenure);
            self.push(Frame::Written(Written { channels: vec![channel], bytes: vec![bytes] }));
        } else if is_news {
            let mut state = self.state.lock();
            let was_empty = state.reports.is_empty();
            if !state.closed {
                state.reports.push(Report { channel, seat: Arc::clone(seat), tenure });
            }
            drop(state);
            if was_empty {
                self.writer.notify_one();
            }
        }
    }

    /// Whether there is room for another message of a client. If not, the task is woken when there is.
    pub(crate) fn poll_room(&self, cx: &Context<'_>, since: &mut WaitingSince) -> Poll<()> {
        if !self.full.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut state = self.state.lock();
        if !self.full.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if since.0 != Some(state.round) {
            since.0 = Some(state.round);
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until there are frames or reports. Cancel-safe.
    pub(crate) async fn filled(&self) -> Filled {
        loop {
            match self.look() {
                Some(filled) => return filled,
                None => self.writer.notified().await,
            }
        }
    }

    /// Waits until there are frames. Cancel-safe.
    pub(crate) async fn filled_with_frames(&self) {
        while self.look() != Some(Filled::Frames) {
            self.writer.notified().await;
        }
    }

    /// Turns the gathered reports into frames.
    pub(crate) fn gather_reports(&self) {
        let mut state = self.state.lock();
        let reports = std::mem::take(&mut state.reports);
        for reports in reports.chunks(REPORTS_MAX) {
            let untold = reports
                .iter()
                .map(|Report { channel, seat, tenure }| (*channel, seat.outbound().tell(*tenure)));
            let (channels, bytes): (Vec<_>, Vec<_>) = untold.filter(|(_, bytes)| *bytes > 0).unzip();
            if !channels.is_empty() {
                self.add(&mut state, Frame::Written(Written { channels, bytes }));
            }
        }
    }

    /// Takes all frames out. Their cost counts until [`SendQueue::sent`].
    pub(crate) fn take(&self) -> Vec<GatewayFrame> {
        std::mem::take(&mut self.state.lock().frames)
    }

    /// Makes room: frames of this cost are on their way.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut state = self.state.lock();
        let bytes = bytes.min(state.bytes);
        state.bytes -= bytes;
        self.meters.link_queued.subtract(bytes as u64);
        if state.bytes <= self.bytes_max {
            self.make_room(&mut state);
        }
    }

    /// The link is gone: forgets everything, and takes nothing more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.frames = Vec::new();
        state.reports = Vec::new();
        self.meters.link_queued.subtract(state.bytes as u64);
        state.bytes = 0;
        self.make_room(&mut state);
    }

    fn add(&self, state: &mut State, frame: Frame) {
        if state.closed {
            return;
        }
        let frame = GatewayFrame { frame: Some(frame) };
        let cost = cost_bytes(&frame);
        state.bytes += cost;
        self.meters.link_queued.add(cost as u64);
        state.frames.push(frame);
        if state.bytes > self.bytes_max {
            self.full.store(true, Ordering::Release);
        }
    }

    fn make_room(&self, state: &mut State) {
        self.full.store(false, Ordering::Release);
        if state.waiting.is_empty() {
            return;
        }
        state.round = next_round();
        for waker in std::mem::take(&mut state.waiting) {
            waker.wake();
        }
    }

    fn look(&self) -> Option<Filled> {
        let state = self.state.lock();
        if !state.frames.is_empty() {
            Some(Filled::Frames)
        } else if !state.reports.is_empty() {
            Some(Filled::Reports)
        } else {
            None
        }
    }
}

fn next_round() -> NonZeroU64 {
    NonZeroU64::new(ROUNDS.fetch_add(1, Ordering::Relaxed)).unwrap_or(NonZeroU64::MIN)
}

/// What a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Frames to be sent now.
    Frames,
    /// Only reports, which may wait.
    Reports,
}

impl Drop for SendQueue {
    fn drop(&mut self) {
        self.meters.link_queued.subtract(self.state.get_mut().bytes as u64);
    }
}

/// What a frame counts: never less than what it is when it is encoded, since batches are cut by it.
pub(crate) fn cost_bytes(frame: &GatewayFrame) -> usize {
    let payload = match &frame.frame {
        Some(Frame::Message(message)) => message.payload.len(),
        Some(Frame::Open(open)) => open.encoded_len(),
        Some(Frame::StatePart(part)) => part.state.len(),
        Some(Frame::Written(written)) => REPORT_BYTES * written.channels.len(),
        _ => 0,
    };
    payload + FRAME_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use ringway_proto::v1::{ClientMessage, PayloadKind};
    use tungstenite::Message;

    use super::super::post::Post;
    use super::super::testing::{Count, link, moves};
    use super::*;

    fn message(bytes: usize) -> Frame {
        let payload = vec![0; bytes].into();
        Frame::Message(ClientMessage { channel: 1, payload, kind: PayloadKind::Binary.into() })
    }

    fn seat(meters: &Arc<Meters>) -> Arc<Seat> {
        let (link, moves) = (link(Arc::clone(meters)), moves(Arc::clone(meters)));
        let id = ringway_session::SessionId::new(ringway_ring::Slot::of(b"alice"), 1);
        Seat::new(Post { link, number: 7 }, id, "alice", false, &moves)
    }

    #[test]
    fn readers_wait_above_the_bound_and_are_woken_once_below_it() {
        let queue = SendQueue::new(1000, Meters::new());
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let (cx, mut since) = (Context::from_waker(&waker), WaitingSince::default());
        queue.push(message(1000 - FRAME_OVERHEAD_BYTES));
        assert!(queue.poll_room(&cx, &mut since).is_ready(), "exactly the bound is room");
        queue.push(message(0));
        for _ in 0..3 {
            assert!(queue.poll_room(&cx, &mut since).is_pending());
        }
        let frames = queue.take();
        assert!(queue.poll_room(&cx, &mut since).is_pending(), "taken is not sent");
        queue.sent(frames.iter().map(cost_bytes).sum());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "three looks, one waker");
        assert!(queue.poll_room(&cx, &mut since).is_ready());
    }

    #[test]
    fn a_reader_that_comes_from_another_queue_is_woken_by_this_one() {
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let (cx, mut since) = (Context::from_waker(&waker), WaitingSince::default());
        let queues = [SendQueue::new(10, Meters::new()), SendQueue::new(10, Meters::new())];
        for queue in &queues {
            queue.push(message(100));
            assert!(queue.poll_room(&cx, &mut since).is_pending());
        }
        queues[1].sent(1000);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_closed_queue_takes_nothing_and_holds_up_nobody() {
        let meters = Meters::new();
        let queue = SendQueue::new(10, Arc::clone(&meters));
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let (cx, mut since) = (Context::from_waker(&waker), WaitingSince::default());
        queue.push(message(100));
        assert!(queue.poll_room(&cx, &mut since).is_pending());
        queue.close();
        queue.push(message(100));
        assert!(queue.poll_room(&cx, &mut since).is_ready());
        assert_eq!(
            (woken.0.load(Ordering::Relaxed), queue.take().len(), meters.link_queued.now()),
            (1, 0, 0)
        );
    }

    #[test]
    fn small_reports_gather_and_large_ones_do_not_wait() {
        let meters = Meters::new();
        let queue = SendQueue::new(1000, Arc::clone(&meters));
        let seat = seat(&meters);
        let give = |bytes: usize| {
            seat.outbound().push(Message::binary(vec![0; bytes]));
            let cost = seat.outbound().take().iter().map(super::super::outbound::cost_bytes).sum();
            queue.written(7, &seat, seat.outbound().written(cost));
        };
        let reported = || -> Vec<u64> {
            let bytes = |frame: GatewayFrame| match frame.frame {
                Some(Frame::Written(written)) => written.bytes,
                other => panic!("{other:?}"),
            };
            queue.take().into_iter().flat_map(bytes).collect()
        };
        (0..10).for_each(|_| give(36));
        assert_eq!(reported(), [0; 0]);
        queue.gather_reports();
        assert_eq!(reported(), [1000]);
        give(36);
        give(20_000);
        assert_eq!(reported(), [100 + 20_064], "with what was gathered");
        queue.gather_reports();
        assert_eq!(reported(), [0; 0], "nothing is told twice");
        for (window_bytes, at_once) in [(1 << 20, false), (0, false), (602, false), (600, true), (1, true)] {
            queue.heed_window(window_bytes);
            give(236);
            assert_eq!(reported().len(), usize::from(at_once), "half of {window_bytes}");
            queue.gather_reports();
            reported();
        }
    }
}
