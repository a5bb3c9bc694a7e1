//! The bounds of events.

use std::time::Duration;

/// How many events are kept for subscribers, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsConfig {
    /// How many subscriptions there are at the most; a further one is refused.
    pub subscriptions_max: usize,
    /// How many events of one subscription are kept that it has not acknowledged; beyond it the oldest go, and count as missed.
    pub events_max: usize,
    /// How many bytes they have together at the most; beyond it the oldest go, and count as missed.
    pub bytes_max: usize,
    /// For how long a subscription is kept whose subscriber is away; beyond it, it is forgotten with its events.
    pub away_max: Duration,
    /// How long a client's message waits at the most while a reliable subscription has no room; beyond it the oldest event
    /// goes, and nobody waits again until there is room.
    pub room_wait_max: Duration,
}

impl Default for EventsConfig {
    /// 16 subscriptions of 100,000 events and 64 MiB each, kept for 5 minutes; messages wait for 5 seconds.
    fn default() -> Self {
        EventsConfig {
            subscriptions_max: 16,
            events_max: 100_000,
            bytes_max: 64 << 20,
            away_max: Duration::from_secs(300),
            room_wait_max: Duration::from_secs(5),
        }
    }
}
