//! What the stores in Redis must be told.

use std::fmt;
use std::time::Duration;

use ringway_store::Limits;

/// What ringway's keys begin with unless told otherwise.
pub const PREFIX_DEFAULT: &str = "ringway";

/// Where Redis is, and how it is used.
#[derive(Clone)]
pub struct RedisConfig {
    /// `redis://[user[:password]@]host[:port][/database]` or `unix:///path`.
    pub url: String,
    /// What all keys begin with. Clusters with different prefixes do not see each other.
    pub prefix: String,
    /// How long Redis may take for an answer or to be connected to.
    pub answer_timeout: Duration,
    /// How long an append whose reply was lost is looked for before it is reported as unavailable.
    pub search_timeout: Duration,
    /// What bounds each mailbox.
    pub limits: Limits,
    /// How often positions are written, and what nobody needs is removed.
    pub write_every: Duration,
    /// How many mailboxes are known at once. Of more, those that nobody uses are looked up again when they are used.
    pub mailboxes_known_max: usize,
    /// How many calls may wait for one mailbox. Beyond it they are refused as unavailable.
    pub queue_calls_max: usize,
    /// After which time a user is not online any more if nobody says so again.
    pub presence_time_to_live: Duration,
}

impl RedisConfig {
    /// The defaults with this Redis.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: PREFIX_DEFAULT.to_owned(),
            answer_timeout: Duration::from_secs(2),
            search_timeout: Duration::from_secs(3),
            limits: Limits::default(),
            write_every: Duration::from_secs(1),
            mailboxes_known_max: 100_000,
            queue_calls_max: 1024,
            presence_time_to_live: Duration::from_secs(60),
        }
    }
}

/// Without the address, which may hold a password.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("prefix", &self.prefix)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
