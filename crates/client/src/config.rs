//! What a client's behaviour depends on. The defaults are those that docs/client-protocol.md asks of every client.

use std::time::Duration;

use ringway_session::MailboxPlace;

/// A client's behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Whether it connects again.
    pub reconnect: Reconnect,
    /// When it connects again.
    pub backoff: BackoffConfig,
    /// When it acknowledges.
    pub acks: AckConfig,
    /// How long the welcome may take once the socket is open.
    pub welcome_timeout: Duration,
    /// The name of the device, which has a position of its own in the user's mailbox.
    pub device: Option<String>,
    /// The place in the mailbox that is known from before.
    pub mailbox: Option<MailboxPlace>,
    /// How many requests may wait for their answers. Beyond it a request is not sent.
    pub requests_max: usize,
}

/// Whether a client connects again when its socket has gone, or when it got none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reconnect {
    /// As close codes and refusals advise.
    #[default]
    AsAdvised,
    /// Whatever they say, it does not.
    Never,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig {
            reconnect: Reconnect::default(),
            backoff: BackoffConfig::default(),
            acks: AckConfig::default(),
            welcome_timeout: Duration::from_secs(10),
            device: None,
            mailbox: None,
            requests_max: 64,
        }
    }
}

/// When a client connects again: full jitter, from the first attempt on. The delay is random between nothing and a bound,
/// and the bound doubles with each attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackoffConfig {
    /// The bound of the first delay.
    pub first: Duration,
    /// The bound of the first delay if the close code says "after a delay".
    pub later: Duration,
    /// The highest bound.
    pub max: Duration,
    /// How long a connection must have lasted for the next delay to count as the first again.
    pub settled_after: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        BackoffConfig {
            first: Duration::from_millis(500),
            later: Duration::from_secs(5),
            max: Duration::from_secs(30),
            settled_after: Duration::from_secs(10),
        }
    }
}

/// How long acknowledgements may be put off, beside the time that the welcome gives, of which half is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckConfig {
    /// After so many messages one is sent at once.
    pub messages_max: u32,
    /// After so many bytes of frames one is sent at once.
    pub bytes_max: usize,
}

impl Default for AckConfig {
    fn default() -> Self {
        AckConfig { messages_max: 256, bytes_max: 64 * 1024 }
    }
}
