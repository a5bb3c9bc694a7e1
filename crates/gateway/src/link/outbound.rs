//! What workers have for one client: messages in order, and at last how it ends.
//!
//! Links' tasks put in. The client's task takes out; while that has nothing to write it leaves its [`Pen`] here, and whoever puts in
//! sees to it that it is written. The queue needs no bound of its own: a worker sends no more bytes
//! ahead than the session's window, and gets room back only by what [`Outbound::written`] counts (`Written` in
//! link.proto). After the end nothing more goes in.
//!
//! The queue stays when the session moves. What one worker has put in is never told to the next as written: a *tenure* is
//! the time between two [`Outbound::hand_over`]s, and counts for itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use ringway_session::{CloseCode, MESSAGE_OVERHEAD_BYTES};
use tungstenite::{Message, Utf8Bytes};

use crate::metrics::Meters;
use crate::socket::Pen;

/// The queue towards one client.
pub(crate) struct Outbound {
    state: Mutex<State>,
    reader: AtomicWaker,
    /// Whether the end is there: a look at it without the lock, for each time that the client's task wakes up.
    ended: AtomicBool,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    /// Lent by the client's task while that has nothing to write.
    pen: Option<Pen>,
    /// Whether somebody has been told to call [`Outbound::write_out`], and has not yet.
    is_owed: bool,
    end: Option<Box<End>>,
    /// Cost of what was put in and has not left for the client.
    waiting_bytes: u64,
    /// How much of it the present worker is not to be told of. It leaves first.
    foreign_bytes: u64,
    /// Cost of what has left for the client and was not told to the present worker.
    untold_bytes: u64,
    tenure: u32,
}

/// What the present worker has not been told, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Untold {
    pub(crate) bytes: u64,
    /// Whether there was nothing before.
    pub(crate) is_news: bool,
    pub(crate) tenure: u32,
}

/// How a session ends for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: CloseCode,
    pub(crate) reason: Utf8Bytes,
}

impl End {
    pub(crate) fn new(code: CloseCode, reason: &'static str) -> Self {
        Self { code, reason: Utf8Bytes::from_static(reason) }
    }

    /// The end of a session that no worker has a place for.
    pub(crate) fn without_place(code: CloseCode) -> Self {
        let reason = match code {
            CloseCode::RESTART => "the session's worker is gone, reconnect now",
            CloseCode::TRY_AGAIN_LATER => "the session's worker has no room, reconnect later",
            _ => "the session could not be moved to its worker",
        };
        Self::new(code, reason)
    }
}

impl Outbound {
    pub(crate) fn new(meters: Arc<Meters>) -> Self {
        Self { state: Mutex::default(), reader: AtomicWaker::new(), ended: AtomicBool::new(false), meters }
    }

    /// Puts a message of the present worker in, unless the end is there already. Says whether the caller is to see to it that
    /// [`Outbound::write_out`] is called, or [`Outbound::disown`]: then the client's task has left its pen here and was not woken.
    pub(crate) fn push(&self, message: Message) -> bool {
        self.put(message, |_, _| {})
    }

    /// Puts a message of the gateway's own in, of which no worker is told.
    pub(crate) fn push_own(&self, message: Message) {
        if self.put(message, |state, cost| state.foreign_bytes += cost) {
            self.disown();
        }
    }

    fn put(&self, message: Message, count: impl FnOnce(&mut State, u64)) -> bool {
        let cost = cost_bytes(&message);
        let mut state = self.state.lock();
        if state.end.is_some() {
            return false;
        }
        state.waiting_bytes += cost;
        count(&mut state, cost);
        self.meters.queued.add(cost);
        state.messages.push_back(message);
        if state.pen.as_ref().is_some_and(Pen::is_free) {
            return !std::mem::replace(&mut state.is_owed, true);
        }
        drop(state);
        self.reader.wake();
        false
    }

    /// Leaves to the client's task what somebody was to write.
    pub(crate) fn disown(&self) {
        self.state.lock().is_owed = false;
        self.reader.wake();
    }

    /// Writes to the client what waits for it, if its task has left that to others. Where the socket does not take all, the task does the
    /// rest. Says what its worker has not been told of what has left.
    pub(crate) fn write_out(&self) -> Option<Untold> {
        let mut state = self.state.lock();
        let State { messages, pen, is_owed, .. } = &mut *state;
        *is_owed = false;
        let pen = pen.as_mut().filter(|pen| pen.is_free())?;
        let written = pen.write(messages, |message| {
            self.meters.outbound.count(message.len());
            cost_bytes(message)
        });
        if let Some(cost_bytes) = written {
            // A quiet client keeps no room for messages.
            *messages = VecDeque::new();
            return Some(self.count_out(&mut state, cost_bytes));
        }
        drop(state);
        self.reader.wake();
        None
    }

    /// Gives the client's task its pen back, if it has left it here.
    pub(crate) fn take_pen(&self) -> Option<Pen> {
        self.state.lock().pen.take()
    }

    /// Leaves the pen of the client's task here.
    ///
    /// # Errors
    /// The pen, if there is something to write.
    pub(crate) fn leave_pen(&self, pen: Pen) -> Result<(), Pen> {
        let mut state = self.state.lock();
        if !state.messages.is_empty() || state.end.is_some() {
            return Err(pen);
        }
        state.pen = Some(pen);
        Ok(())
    }

    /// Says how it ends, unless that has been said already.
    pub(crate) fn end(&self, end: End) {
        self.state.lock().end.get_or_insert(Box::new(end));
        self.ended.store(true, Ordering::Release);
        self.reader.wake();
    }

    /// Names the task to be woken when something was put in.
    pub(crate) fn register(&self, reader: &Waker) {
        self.reader.register(reader);
    }

    /// Takes all messages out.
    pub(crate) fn take(&self) -> VecDeque<Message> {
        std::mem::take(&mut self.state.lock().messages)
    }

    /// How it ends, if that has been said.
    pub(crate) fn ended(&self) -> Option<End> {
        if self.ended.load(Ordering::Acquire) { self.state.lock().end.as_deref().cloned() } else { None }
    }

    /// Lets the client's task look again at what it waits for.
    pub(crate) fn wake(&self) {
        self.reader.wake();
    }

    /// Notes that messages of this cost have left for the client.
    pub(crate) fn written(&self, cost_bytes: u64) -> Untold {
        self.count_out(&mut self.state.lock(), cost_bytes)
    }

    fn count_out(&self, state: &mut State, cost_bytes: u64) -> Untold {
        self.meters.queued.subtract(cost_bytes);
        state.waiting_bytes -= cost_bytes;
        let foreign_bytes = cost_bytes.min(state.foreign_bytes);
        state.foreign_bytes -= foreign_bytes;
        let before = state.untold_bytes;
        state.untold_bytes += cost_bytes - foreign_bytes;
        let bytes = state.untold_bytes;
        Untold { bytes, is_news: before == 0 && bytes > 0, tenure: state.tenure }
    }

    /// What the worker of this tenure is to be told now.
    pub(crate) fn tell(&self, tenure: u32) -> u64 {
        let mut state = self.state.lock();
        if state.tenure == tenure { std::mem::take(&mut state.untold_bytes) } else { 0 }
    }

    /// What the present worker is to be told now.
    pub(crate) fn tell_all(&self) -> u64 {
        std::mem::take(&mut self.state.lock().untold_bytes)
    }

    /// Begins another tenure: who has put in what waits is told nothing more.
    pub(crate) fn hand_over(&self) {
        let mut state = self.state.lock();
        state.foreign_bytes = state.waiting_bytes;
        state.untold_bytes = 0;
        state.tenure = state.tenure.wrapping_add(1);
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        self.meters.queued.subtract(self.state.get_mut().waiting_bytes);
    }
}

/// What a message counts in windows and queues.
pub(crate) fn cost_bytes(message: &Message) -> u64 {
    message.len() as u64 + MESSAGE_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpStream;

    use super::super::testing::{Count, pen};
    use super::*;

    impl Count {
        /// How often the task was woken. Then it is there again.
        fn take(self: &Arc<Self>, outbound: &Outbound) -> usize {
            outbound.register(&Waker::from(Arc::clone(self)));
            self.0.swap(0, Ordering::Relaxed)
        }
    }

    /// A client's queue with its pen in it, the client's end of the socket, and its task.
    async fn with_pen() -> (Outbound, TcpStream, Arc<Count>) {
        let ((pen, client), outbound, woken) = (pen().await, outbound(), Arc::new(Count::default()));
        assert!(outbound.leave_pen(pen).is_ok(), "there is nothing to write");
        woken.take(&outbound);
        (outbound, client, woken)
    }

    #[tokio::test]
    async fn whoever_brings_the_first_message_writes_all_and_the_task_sleeps() {
        let (outbound, mut client, woken) = with_pen().await;
        assert!(outbound.write_out().is_some_and(|untold| untold.bytes == 0), "there was nothing");
        assert_eq!((outbound.push(message(100)), outbound.push(message(70))), (true, false));
        // The task has come before, for another reason, and goes again.
        let pen = outbound.take_pen().expect("it is here");
        let messages = outbound.take();
        assert!(outbound.leave_pen(pen).is_ok());
        messages.into_iter().for_each(|message| assert!(!outbound.push(message), "it is owed already"));
        assert_eq!(outbound.write_out().expect("written").bytes, 170);
        let mut frames = [0; 2 + 36 + 2 + 6];
        client.read_exact(&mut frames).await.expect("two frames");
        assert_eq!((&frames[..2], &frames[38..40]), (&[0x82, 36][..], &[0x82, 6][..]));
        assert_eq!(woken.take(&outbound), 0);
        outbound.push_own(message(100));
        assert_eq!(woken.take(&outbound), 1, "nobody else was told to write it");
    }

    #[tokio::test]
    async fn what_the_socket_does_not_take_is_for_the_task() {
        let (outbound, mut client, woken) = with_pen().await;
        let payload_bytes = 32 * 1024 * 1024;
        assert!(outbound.push(message(payload_bytes + 64)));
        assert!(outbound.write_out().is_none(), "no socket holds that");
        assert_eq!(woken.take(&outbound), 1);
        assert!(!outbound.push(message(100)) && woken.take(&outbound) == 1);
        assert!(outbound.write_out().is_none(), "the frame before is not out");
        let (_half, stuck) = outbound.take_pen().expect("it is here").into_parts();
        let rest = stuck.rest.expect("it began with it");
        assert_eq!(stuck.cost_bytes, payload_bytes as u64 + 64);
        let mut written = vec![0; payload_bytes + 10 - bytes::Buf::remaining(&rest)];
        client.read_exact(&mut written).await.expect("what was written");
        assert_eq!(outbound.take().len(), 1, "the one behind");
    }

    #[tokio::test]
    async fn a_pen_stays_with_the_task_while_there_is_something_to_do() {
        let (outbound, _client, woken) = with_pen().await;
        let pen = outbound.take_pen().expect("it is here");
        assert!(!outbound.push(message(100)) && woken.take(&outbound) == 1);
        let pen = outbound.leave_pen(pen).expect_err("there is a message");
        outbound.take();
        outbound.end(End::new(CloseCode::NORMAL, "bye"));
        assert!(outbound.leave_pen(pen).is_err(), "the end is to be said");
    }

    fn outbound() -> Outbound {
        Outbound::new(Meters::new())
    }

    fn message(cost_bytes: usize) -> Message {
        Message::binary(vec![0; cost_bytes - 64])
    }

    #[test]
    fn no_worker_is_told_of_what_another_one_has_sent() {
        let outbound = outbound();
        outbound.push(message(100));
        outbound.push(message(100));
        assert_eq!(outbound.written(100).bytes, 100);
        let old = outbound.written(0).tenure;
        outbound.hand_over();
        outbound.push(message(300));
        assert_eq!(outbound.tell(old), 0, "its tenure is over");
        let untold = outbound.written(100);
        assert_eq!((untold.bytes, untold.is_news), (0, false), "it was there before");
        let untold = outbound.written(200);
        assert_eq!((untold.bytes, untold.is_news), (200, true));
        let untold = outbound.written(100);
        assert_eq!((untold.bytes, untold.is_news), (300, false));
        assert_eq!((outbound.tell(untold.tenure), outbound.tell_all()), (300, 0));
    }

    #[tokio::test]
    async fn what_is_written_for_a_former_worker_is_not_told_to_the_next() {
        let (outbound, _client, _woken) = with_pen().await;
        outbound.push(message(100));
        outbound.hand_over();
        assert_eq!(outbound.write_out().expect("written").bytes, 0);
        outbound.push(message(32 * 1024 * 1024));
        assert!(outbound.write_out().is_none(), "no socket holds that");
        outbound.hand_over();
        outbound.push(message(70));
        let (_half, stuck) = outbound.take_pen().expect("it is here").into_parts();
        assert_eq!(outbound.written(stuck.cost_bytes).bytes, 0, "the task has written the rest");
        assert_eq!(outbound.written(70).bytes, 70);
    }

    #[test]
    fn no_worker_is_told_of_the_gateways_own_messages() {
        let outbound = outbound();
        outbound.push(message(100));
        outbound.push_own(message(70));
        outbound.push(message(100));
        assert_eq!(outbound.written(270).bytes, 200);
    }

    #[test]
    fn nothing_goes_in_after_the_end() {
        let outbound = outbound();
        outbound.push(message(100));
        outbound.end(End::new(CloseCode::NORMAL, "bye"));
        outbound.push(message(100));
        outbound.push_own(message(100));
        assert_eq!(outbound.take().len(), 1);
    }
}
