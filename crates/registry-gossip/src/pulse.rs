//! What the socket tells the rest of the node: the moments at which it was heard, and how often it told others news.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::seal::Mark;
use crate::sight::Sight;

/// Shared between the socket and the hub.
pub(crate) struct Pulse {
    life: u64,
    epoch: Instant,
    sight: Mutex<Sight>,
    told: watch::Sender<u64>,
    met: AtomicBool,
}

impl Pulse {
    /// Of a process that begins now.
    pub(crate) fn new(failure_timeout: Duration) -> Self {
        let epoch = Instant::now();
        Self {
            life: rand::random(),
            epoch,
            sight: Mutex::new(Sight::new(failure_timeout, epoch)),
            told: watch::Sender::new(0),
            met: AtomicBool::new(false),
        }
    }

    /// For how long it has run.
    pub(crate) fn age(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The mark of a question that is asked now.
    pub(crate) fn mark(&self) -> Mark {
        let at = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Mark { life: self.life, at }
    }

    /// Whether it is a mark of this process.
    pub(crate) fn is_ours(&self, mark: Mark) -> bool {
        mark.life == self.life
    }

    /// A peer answered the question of this mark, which is ours.
    pub(crate) fn answered(&self, mark: Mark) {
        let asked = self.epoch + Duration::from_nanos(mark.at);
        if asked <= Instant::now() {
            self.sight.lock().assure(asked);
            self.met.store(true, Ordering::Relaxed);
        }
    }

    /// A peer was told what it did not know yet.
    pub(crate) fn told(&self) {
        self.told.send_modify(|told| *told += 1);
    }

    /// How often that happened.
    pub(crate) fn watch_told(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// Whether any peer ever answered.
    pub(crate) fn has_met(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }

    /// What follows from it all.
    pub(crate) fn sight<T>(&self, look: impl FnOnce(&mut Sight) -> T) -> T {
        look(&mut self.sight.lock())
    }
}
