//! What a worker has for one client: messages in order, and at last how it ends.
//!
//! The link's task puts in, the client's task takes out. The queue needs no bound of its own: the worker sends no more
//! bytes ahead than the session's window, and gets room back only by what [`Outbound::written`] counts (`Written` in
//! link.proto). After the end nothing more goes in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use ringway_session::{CloseCode, MESSAGE_OVERHEAD_BYTES};
use tungstenite::{Message, Utf8Bytes};

use crate::metrics::Meters;

/// The queue towards one client.
pub(crate) struct Outbound {
    state: Mutex<State>,
    reader: AtomicWaker,
    /// Whether the end is there: a look at it without the lock, for each time that the client's task wakes up.
    ended: AtomicBool,
    /// Cost of what was put in and has not left for the client.
    waiting_bytes: AtomicU64,
    /// Cost of what has left for the client and was not told to the worker.
    untold_bytes: AtomicU64,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    end: Option<Box<End>>,
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
}

impl Outbound {
    pub(crate) fn new(meters: Arc<Meters>) -> Self {
        Self {
            state: Mutex::default(),
            reader: AtomicWaker::new(),
            ended: AtomicBool::new(false),
            waiting_bytes: AtomicU64::new(0),
            untold_bytes: AtomicU64::new(0),
            meters,
        }
    }

    /// Puts a message in, unless the end is there already.
    pub(crate) fn push(&self, message: Message) {
        let cost = cost_bytes(&message);
        let mut state = self.state.lock();
        if state.end.is_some() {
            return;
        }
        self.waiting_bytes.fetch_add(cost, Ordering::Relaxed);
        self.meters.queued.add(cost);
        state.messages.push_back(message);
        drop(state);
        self.reader.wake();
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

    /// Notes that messages of this cost have left for the client. Gives the cost that the worker has not been told.
    pub(crate) fn written(&self, cost_bytes: u64) -> u64 {
        self.waiting_bytes.fetch_sub(cost_bytes, Ordering::Relaxed);
        self.meters.queued.subtract(cost_bytes);
        self.untold_bytes.fetch_add(cost_bytes, Ordering::Relaxed) + cost_bytes
    }

    /// What the worker is to be told now.
    pub(crate) fn tell(&self) -> u64 {
        self.untold_bytes.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        self.meters.queued.subtract(*self.waiting_bytes.get_mut());
    }
}

/// What a message counts in windows and queues.
pub(crate) fn cost_bytes(message: &Message) -> u64 {
    message.len() as u64 + MESSAGE_OVERHEAD_BYTES
}
