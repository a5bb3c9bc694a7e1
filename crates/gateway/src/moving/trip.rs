//! One session's way from a worker to the next: since when, and what has been tried.

use std::sync::Arc;

use tokio::time::Instant;

use super::moves::Slot;
use crate::config::MovingConfig;
use crate::metrics::Meters;

/// A session on its way. Counted for as long as it is.
pub(crate) struct Trip {
    began: Instant,
    tries: u32,
    /// While a worker is asked, and for no longer than it may hold up others.
    slot: Option<(Slot, Instant)>,
    meters: Arc<Meters>,
}

/// What has become of a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The session is open at its next worker, with all that its last one had of it.
    Moved,
    /// It is open again with the last checkpoint: its worker was lost.
    Reopened,
    /// The client left.
    ClientLeft,
    /// A worker closed the session.
    Closed,
    /// No worker took it in time.
    TooLate,
    /// A worker refused it for good.
    Refused,
    /// Its user belongs to a worker that this gateway has no links to.
    Elsewhere,
}

impl Outcome {
    /// As a metric's label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Moved => "moved",
            Outcome::Reopened => "reopened",
            Outcome::ClientLeft => "client_left",
            Outcome::Closed => "closed",
            Outcome::TooLate => "too_late",
            Outcome::Refused => "refused",
            Outcome::Elsewhere => "elsewhere",
        }
    }
}

impl Trip {
    pub(crate) fn begin(meters: Arc<Meters>) -> Self {
        meters.moving.add(1);
        Self { began: Instant::now(), tries: 0, slot: None, meters }
    }

    /// How often a worker was asked, or could not be.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    /// A worker is asked.
    pub(crate) fn ask(&mut self, slot: Slot) {
        self.fail();
        self.slot = Some((slot, Instant::now()));
    }

    /// No worker could be asked. Says how often that, or a question, was in vain.
    pub(crate) fn fail(&mut self) -> u32 {
        self.tries = self.tries.saturating_add(1);
        self.tries
    }

    /// No worker is asked any more: others may be.
    pub(crate) fn rest(&mut self) {
        self.slot = None;
    }

    /// Others may ask if this question has been under way for too long. It is still waited for.
    pub(crate) fn make_way(&mut self, now: Instant, config: &MovingConfig) {
        self.slot.take_if(|(_, since)| now.duration_since(*since) >= config.open_patience);
    }

    /// Whether no place was found in time.
    pub(crate) fn is_too_late(&self, now: Instant, config: &MovingConfig) -> bool {
        now.duration_since(self.began) >= config.reopen_deadline
    }

    /// It is over.
    pub(crate) fn end(self, outcome: Outcome) {
        self.meters.moved(outcome.as_str());
        if let Outcome::Moved | Outcome::Reopened = outcome {
            self.meters.move_pause.record(self.began.elapsed().as_secs_f64());
        }
    }
}

impl Drop for Trip {
    fn drop(&mut self) {
        self.meters.moving.subtract(1);
    }
}
