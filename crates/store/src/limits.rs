//! The bounds of mailboxes.

use std::time::Duration;

use crate::entry::NewEntry;
use crate::error::StoreError;

/// What bounds each mailbox, and how long what stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many entries a mailbox holds. Of more, the oldest go, and that is seen as a gap.
    pub entries_max: u64,
    /// How much a mailbox holds, in bytes: payloads, topics, ids and [`ENTRY_OVERHEAD_BYTES`](crate::ENTRY_OVERHEAD_BYTES)
    /// for each entry. Of more, the oldest go. A message that does not fit by itself is refused.
    pub bytes_max: u64,
    /// How long an entry is kept at most.
    pub time_to_live: Duration,
    /// For how long an entry stays that nobody needs any more, so that its message's id is known when it is sent again.
    pub idempotency_window: Duration,
    /// After which time a silent device is forgotten: nothing is kept for it any more.
    pub device_forget_after: Duration,
    /// How many devices a user has. Of more, the one silent for longest is forgotten.
    pub devices_max: usize,
    /// After which time an unused mailbox is forgotten. If its user comes back there is a new one with a new epoch. Longer than
    /// everything else here.
    pub mailbox_forget_after: Duration,
}

/// Bounds that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongLimits {
    /// A bound that lets nothing in.
    #[error("{what} must be at least 1")]
    Zero {
        /// Which one.
        what: &'static str,
    },
    /// A mailbox that is forgotten before what is in it.
    #[error("mailbox_forget_after must be longer than {what}")]
    ForgottenTooEarly {
        /// What takes longer.
        what: &'static str,
    },
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            entries_max: 1000,
            bytes_max: 1024 * 1024,
            time_to_live: 3 * DAY,
            idempotency_window: Duration::from_secs(120),
            device_forget_after: 14 * DAY,
            devices_max: 16,
            mailbox_forget_after: 30 * DAY,
        }
    }
}

impl Limits {
    /// Refuses entries of which one does not fit into a mailbox.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn check_size(&self, entries: &[NewEntry]) -> Result<(), StoreError> {
        let bytes = entries.iter().map(NewEntry::cost_bytes).max().unwrap_or(0);
        if bytes <= self.bytes_max {
            Ok(())
        } else {
            Err(StoreError::TooLarge { bytes, bytes_max: self.bytes_max })
        }
    }

    /// Checks that they agree.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn checked(self) -> Result<Self, WrongLimits> {
        let bounds = [
            ("entries_max", self.entries_max),
            ("bytes_max", self.bytes_max),
            ("devices_max", self.devices_max as u64),
        ];
        if let Some((what, _)) = bounds.into_iter().find(|(_, bound)| *bound == 0) {
            return Err(WrongLimits::Zero { what });
        }
        let times = [
            ("time_to_live", self.time_to_live),
            ("idempotency_window", self.idempotency_window),
            ("device_forget_after", self.device_forget_after),
        ];
        let longer = times.into_iter().find(|(_, time)| *time >= self.mailbox_forget_after);
        longer.map_or(Ok(self), |(what, _)| Err(WrongLimits::ForgottenTooEarly { what }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        let good = Limits::default();
        let early = |what| Err(WrongLimits::ForgottenTooEarly { what });
        for (limits, expected) in [
            (good, Ok(good)),
            (Limits { entries_max: 0, ..good }, Err(WrongLimits::Zero { what: "entries_max" })),
            (Limits { devices_max: 0, ..good }, Err(WrongLimits::Zero { what: "devices_max" })),
            (Limits { time_to_live: good.mailbox_forget_after, ..good }, early("time_to_live")),
            (Limits { mailbox_forget_after: good.device_forget_after, ..good }, early("device_forget_after")),
        ] {
            assert_eq!(limits.checked(), expected);
        }
    }
}
