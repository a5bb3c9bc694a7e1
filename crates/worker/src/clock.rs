//! The worker's clock, as its pure state reads it.

use std::time::Instant;

use ringway_session::Moment;

/// Counts milliseconds from its making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Clock { origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Moment {
        self.at(Instant::now())
    }

    /// A moment of the process as this clock shows it; those before its making are its beginning.
    pub(crate) fn at(&self, instant: Instant) -> Moment {
        let since = instant.saturating_duration_since(self.origin);
        Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
