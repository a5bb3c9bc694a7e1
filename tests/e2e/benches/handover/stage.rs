//! What is measured at this moment, for those who send and those who receive.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// The part of a passage that a message belongs to, by the time at which it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// Warming up, and what comes after a change: not measured.
    Outside,
    /// The steady state right before a change.
    Before,
    /// From the beginning of the change until every session is served by its next worker.
    During,
}

/// Whose client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A user of a worker that stays.
    Bystander,
    /// A user of the worker that goes.
    Mover,
}

/// The shared state.
pub(crate) struct Stage {
    began: Instant,
    window: AtomicU8,
    latencies: Mutex<Latencies>,
}

/// From a send to its receipt, in microseconds, before and during a change.
pub(crate) struct Latencies {
    pub(crate) bystanders: [Histogram<u64>; 2],
    pub(crate) movers: [Histogram<u64>; 2],
}

impl Window {
    /// The window of this number, the order being the order above.
    pub(crate) fn of(number: u8) -> Self {
        [Self::Outside, Self::Before, Self::During][usize::from(number)]
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        let latencies = Mutex::new(Latencies::new());
        Self { began: Instant::now(), window: AtomicU8::new(Window::Outside as u8), latencies }
    }

    /// The time since the beginning of all.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn window(&self) -> Window {
        Window::of(self.window.load(Ordering::Relaxed))
    }

    pub(crate) fn enter(&self, window: Window) {
        self.window.store(window as u8, Ordering::Relaxed);
    }

    /// A message of this window has arrived.
    pub(crate) fn record(&self, window: Window, class: Class, latency: Duration) {
        let mut latencies = self.latencies.lock();
        let classed = match class {
            Class::Bystander => &mut latencies.bystanders,
            Class::Mover => &mut latencies.movers,
        };
        match window {
            Window::Outside => {}
            Window::Before => classed[0].saturating_record(micros(latency)),
            Window::During => classed[1].saturating_record(micros(latency)),
        }
    }

    /// The latencies since the last call.
    pub(crate) fn take(&self) -> Latencies {
        std::mem::replace(&mut self.latencies.lock(), Latencies::new())
    }
}

impl Latencies {
    fn new() -> Self {
        Self { bystanders: [histogram(), histogram()], movers: [histogram(), histogram()] }
    }
}

/// For 1 microsecond to 100 seconds, with three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 100_000_000, 3).expect("bounds in order")
}

/// A time as the histograms take it.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}
