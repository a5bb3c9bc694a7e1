//! A clock that wakes its task often and punctually. tokio's own has milliseconds, in which a whole batch of messages would wait;
//! where there is a timer file (Linux) it is taken instead.

use std::io;
use std::time::Duration;

/// Ticks come no more often: each costs a few microseconds.
const INTERVAL_MIN: Duration = Duration::from_micros(100);
/// And no more seldom, so that who waits for them also sees other things.
const INTERVAL_MAX: Duration = Duration::from_millis(50);

/// Ticks at an interval.
#[derive(Debug)]
pub(crate) struct Ticks(timer::Timer);

impl Ticks {
    /// One for each of so many events in a second, as far as that is possible.
    ///
    /// # Errors
    /// When the system has no timer left. Needs a tokio runtime.
    pub(crate) fn at_rate(per_second: f64) -> io::Result<Self> {
        let interval = Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(INTERVAL_MAX);
        Self::every(interval)
    }

    /// At this interval, within bounds.
    ///
    /// # Errors
    /// As [`Self::at_rate`].
    pub(crate) fn every(interval: Duration) -> io::Result<Self> {
        timer::Timer::new(interval.clamp(INTERVAL_MIN, INTERVAL_MAX)).map(Self)
    }

    /// Waits for the next one; those that were missed are passed over. Cancel-safe.
    pub(crate) async fn tick(&mut self) {
        self.0.tick().await;
    }
}

#[cfg(target_os = "linux")]
mod timer {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub(super) fn new(interval: Duration) -> io::Result<Self> {
            let timer =
                timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            let interval = Timespec::try_from(interval).map_err(io::Error::other)?;
            let spec = Itimerspec { it_interval: interval, it_value: interval };
            timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec)?;
            #[expect(
                deprecated,
                reason = "what replaces it is unsafe; a file that the value owns stays open as long as it"
            )]
            let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
            Ok(Self(timer))
        }

        pub(super) async fn tick(&mut self) {
            let mut expirations = [0; 8];
            let read =
                self.0.async_io(Interest::READABLE, |timer| Ok(rustix::io::read(timer, &mut expirations)?));
            // A timer cannot fail to be read; if it did, the ticks would come at once, and nothing be sent too late.
            let _ = read.await;
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use std::io;
    use std::time::Duration;

    use tokio::time::{Interval, MissedTickBehavior, interval};

    #[derive(Debug)]
    pub(super) struct Timer(Interval);

    impl Timer {
        pub(super) fn new(every: Duration) -> io::Result<Self> {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            Ok(Self(ticks))
        }

        pub(super) async fn tick(&mut self) {
            self.0.tick().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn ticks_come_at_their_interval() {
        let (began, mut ticks) = (Instant::now(), Ticks::at_rate(1_000.0).unwrap());
        for _ in 0..20 {
            ticks.tick().await;
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(19), "{took:?}");
    }
}
