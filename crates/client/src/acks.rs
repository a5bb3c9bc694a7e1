//! When to acknowledge: seldom enough to be cheap, soon enough for the server to keep little.

use std::time::{Duration, Instant};

use ringway_session::frame::ClientFrame;

use crate::config::AckConfig;

#[derive(Debug)]
pub(crate) struct Acks {
    config: AckConfig,
    /// How long the first message that is not acknowledged may wait.
    within: Duration,
    messages: u32,
    bytes: usize,
    /// Until when; none while everything is acknowledged.
    due: Option<Instant>,
}

impl Acks {
    pub(crate) fn new(config: AckConfig) -> Self {
        Acks { config, within: Duration::ZERO, messages: 0, bytes: 0, due: None }
    }

    /// A connection begins: what came before it was acknowledged by its handshake.
    pub(crate) fn begin(&mut self, ack_within_ms: u64) {
        self.within = Duration::from_millis(ack_within_ms) / 2;
        self.clear();
    }

    /// A message has come.
    pub(crate) fn received(&mut self, now: Instant, frame_bytes: usize) {
        self.messages += 1;
        self.bytes += frame_bytes;
        if self.messages >= self.config.messages_max || self.bytes >= self.config.bytes_max {
            self.due = Some(now);
        } else {
            self.due = self.due.or_else(|| now.checked_add(self.within));
        }
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The frame that acknowledges everything up to an offset, if it is time.
    pub(crate) fn take_due(&mut self, now: Instant, offset: u64) -> Option<String> {
        if self.due.is_some_and(|due| due <= now) { self.take(offset) } else { None }
    }

    /// The same, if anything is not acknowledged.
    pub(crate) fn take(&mut self, offset: u64) -> Option<String> {
        self.due?;
        self.clear();
        Some(ClientFrame::Ack { offset }.to_string())
    }

    fn clear(&mut self) {
        (self.messages, self.bytes, self.due) = (0, 0, None);
    }
}
