//! Which messages are due at a rate. It is looked once in a millisecond, for all systems by the same kind of clock, in the thread that sends:
//! a timer of the system, which neither waits for whole milliseconds of a runtime nor is late by the slack of a sleep.

use std::io;

use anyhow::{Context as _, Result};
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::clock::now_ns;

/// How often is looked.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// So many messages, so many of them in a second, from now on.
pub(crate) struct Due {
    began_ns: u64,
    gap_ns: u64,
    count: u64,
    taken: u64,
}

impl Due {
    pub(crate) fn new(count: u64, per_second: u64) -> Self {
        Self { began_ns: now_ns(), gap_ns: 1_000_000_000 / per_second.max(1), count, taken: 0 }
    }

    /// Whether all have been taken.
    pub(crate) fn is_over(&self) -> bool {
        self.taken >= self.count
    }

    /// Those that have become due since the last call: their numbers, and when they were.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (u64, u64)> + use<> {
        let due = ((now_ns() - self.began_ns) / self.gap_ns + 1).min(self.count);
        let (began_ns, gap_ns) = (self.began_ns, self.gap_ns);
        let taken = std::mem::replace(&mut self.taken, due);
        (taken..due).map(move |number| (number, began_ns + number * gap_ns))
    }
}

/// Calls at each tick, until nothing more is due.
pub(crate) fn at_each_tick(mut due: Due, mut send: impl FnMut(&mut Due) -> Result<()>) -> Result<()> {
    let timer = timer(TimerfdFlags::empty())?;
    while !due.is_over() {
        send(&mut due)?;
        rustix::io::read(&timer, &mut [0; 8]).context("a timer")?;
    }
    Ok(())
}

/// The same clock for a runtime.
pub(crate) struct Ticks(AsyncFd<OwnedFd>);

impl Ticks {
    #[expect(deprecated, reason = "what the other constructor wants promised, an owned descriptor keeps")]
    pub(crate) fn start() -> Result<Self> {
        Ok(Self(AsyncFd::new(timer(TimerfdFlags::NONBLOCK)?).context("a timer")?))
    }

    pub(crate) async fn next(&self) -> Result<()> {
        loop {
            let mut ready = self.0.readable().await.context("a timer")?;
            let read = |timer: &AsyncFd<OwnedFd>| {
                rustix::io::read(timer.get_ref(), &mut [0; 8]).map_err(io::Error::from)
            };
            if let Ok(read) = ready.try_io(read) {
                return read.map(drop).context("a timer");
            }
        }
    }
}

fn timer(flags: TimerfdFlags) -> Result<OwnedFd> {
    let timer =
        timerfd_create(TimerfdClockId::Monotonic, flags | TimerfdFlags::CLOEXEC).context("a timer")?;
    let each = Itimerspec { it_interval: TICK, it_value: TICK };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &each).context("a timer")?;
    Ok(timer)
}
