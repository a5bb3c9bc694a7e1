//! The time of day, which outlives a process; and a clock that tests set.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// So much later. Never beyond the end of time.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is since then; nothing if that is later, since clocks are set.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Tells the time. Cloning is cheap.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> UnixTime + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            UnixTime::default().plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
        }))
    }

    /// The time of this moment.
    pub fn now(&self) -> UnixTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// A clock that stands still until it is set forward. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// One that shows this time.
    pub fn at(time: UnixTime) -> Self {
        Self(Arc::new(AtomicU64::new(time.0)))
    }

    /// Sets it forward.
    pub fn advance(&self, duration: Duration) {
        let now = UnixTime(self.0.load(Ordering::SeqCst));
        self.0.store(now.plus(duration).0, Ordering::SeqCst);
    }

    /// For those who read the time.
    pub fn clock(&self) -> Clock {
        let shown = Arc::clone(&self.0);
        Clock(Arc::new(move || UnixTime(shown.load(Ordering::SeqCst))))
    }
}
