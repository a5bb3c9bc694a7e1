//! The clock that all processes of a machine share: nanoseconds since it started.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Now.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let whole = Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default());
    u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX)
}
