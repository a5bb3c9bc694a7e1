//! The threads of a row: tasks that send to one group, each by calls of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ringway_sender::{Outcome, Payload, Receipt, SendError, Sender};
use tokio::task::JoinSet;

use super::row::Step;
use crate::traffic::{Arrivals, Latency, Phase, STAMP_BYTES, Stamp, Stream, Ticks};

/// What all threads share.
pub(super) struct Threads {
    sender: Sender,
    group: String,
    arrivals: Arc<Arrivals>,
    /// How long each payload is.
    bytes: usize,
    /// The number of the next message, over all rows.
    next: AtomicU32,
    /// Of the present row.
    started: AtomicU32,
    answered: Mutex<Answered>,
}

/// What was answered in a row.
#[derive(Debug, Default)]
pub(super) struct Answered {
    pub(super) latency: Latency,
    /// Messages that reached the group.
    pub(super) delivered: u64,
    pub(super) errors: BTreeMap<&'static str, u64>,
}

impl Threads {
    pub(super) fn new(sender: Sender, group: String, arrivals: Arc<Arrivals>, bytes: usize) -> Self {
        let ([next, started], answered) = (Default::default(), Mutex::default());
        Self { sender, group, arrivals, bytes: bytes.max(STAMP_BYTES), next, started, answered }
    }

    /// How many threads of the present row have started, and how many messages are answered.
    pub(super) fn counts(&self) -> (u32, u64) {
        let answered = self.answered.lock();
        (self.started.load(Ordering::Relaxed), answered.delivered + answered.errors.values().sum::<u64>())
    }

    /// Makes a step, and says how long it took and what was answered.
    pub(super) async fn step(self: &Arc<Self>, step: Step) -> anyhow::Result<(Duration, Answered)> {
        let began = self.arrivals.now();
        let mut ticks = Ticks::at_rate(f64::from(step.threads) / step.ramp_up.as_secs_f64().max(0.001))?;
        let (mut running, mut started) = (JoinSet::new(), 0);
        while started < step.threads {
            while started < step.threads
                && step.starts_at(started) <= self.arrivals.now().saturating_sub(began)
            {
                running.spawn(Arc::clone(self).run(step.loops));
                started += 1;
            }
            self.started.store(started, Ordering::Relaxed);
            while running.try_join_next().is_some() {}
            if started < step.threads {
                ticks.tick().await;
            }
        }
        while running.join_next().await.is_some() {}
        Ok((self.arrivals.now().saturating_sub(began), std::mem::take(&mut *self.answered.lock())))
    }

    /// One thread.
    async fn run(self: Arc<Self>, loops: u32) {
        for _ in 0..loops {
            let due = self.arrivals.now();
            let answer = self.sender.send_to_group(self.group.as_str(), self.payload(due)).await;
            let took = self.arrivals.now().saturating_sub(due);
            self.answered.lock().note(&answer, took);
        }
    }

    fn payload(&self, due: Duration) -> Payload {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (run, stream, phase) = (self.arrivals.run, Stream::Group(0), Phase::Measured);
        let mut bytes = vec![b'.'; self.bytes];
        Stamp { run, stream, number, phase, due }.write(&mut bytes);
        Payload::text_bytes(bytes)
    }
}

impl Answered {
    /// A message that reached nobody is as bad as one that was refused.
    fn note(&mut self, answer: &Result<Receipt, SendError>, took: Duration) {
        self.latency.record(took);
        let cause = match answer {
            Ok(Receipt { outcome: Outcome::Delivered, .. }) => {
                self.delivered += 1;
                return;
            }
            Ok(receipt) => receipt.outcome.as_str(),
            Err(error) => error.reason().name(),
        };
        *self.errors.entry(cause).or_default() += 1;
    }
}
