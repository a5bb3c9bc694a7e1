//! What a bridge is told: checked, typed, with units.

use std::time::Duration;

use ringway_proto::v1::EventKind;
use ringway_ring::MemberId;

use crate::intake::{Guarantee, OnOffline};
use crate::trust::Trust;

/// Where events go, and whose.
#[derive(Clone, Debug, Default)]
pub struct Outlets {
    /// To RabbitMQ.
    pub outlet: Option<OutletConfig>,
    /// By HTTP.
    pub webhook: Option<WebhookConfig>,
    /// Whose events they are.
    pub workers: Workers,
}

/// Whose events are subscribed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Workers {
    /// Those of every worker.
    #[default]
    All,
    /// Those of this one: each worker has a bridge in its process.
    Only(MemberId),
}

/// How RabbitMQ is reached.
#[derive(Clone)]
pub struct RabbitConfig {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…`. A secret, for it holds the password.
    pub url: String,
    /// Whom `amqps` trusts.
    pub trust: Trust,
    /// How long it may take to connect, to declare, and to confirm what was published.
    pub timeout: Duration,
    /// The longest pause between attempts to connect.
    pub reconnect_pause_max: Duration,
    /// Whether exchanges and queues are made, or only looked for.
    pub topology: Topology,
}

impl std::fmt::Debug for RabbitConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitConfig").field("url", &"(hidden)").finish_non_exhaustive()
    }
}

/// What is done about exchanges and queues that are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// They are declared, durable, with their bindings.
    #[default]
    Declare,
    /// They must be there.
    Check,
}

/// How messages come in.
#[derive(Clone, Debug)]
pub struct IntakeConfig {
    /// Where RabbitMQ is.
    pub rabbit: RabbitConfig,
    /// The topic exchange that back ends publish to.
    pub exchange: String,
    /// The queue that is bound to it and consumed.
    pub queue: String,
    /// The fanout exchange for what cannot be delivered.
    pub dead_letter_exchange: String,
    /// The queue that is bound to that.
    pub dead_letter_queue: String,
    /// How many deliveries may be unacknowledged.
    pub prefetch: u16,
    /// What is promised of messages that do not say it themselves.
    pub guarantee: Guarantee,
    /// What happens to a message for somebody who is not connected.
    pub on_offline: OnOffline,
    /// How often a delivery is tried before it is dead.
    pub attempts_max: u32,
    /// The longest pause before the first retry; it doubles with each.
    pub retry_pause_first: Duration,
    /// The longest pause between two attempts.
    pub retry_pause_max: Duration,
    /// How long deliveries under way may take at shutdown; the others come again.
    pub drain_timeout: Duration,
}

impl IntakeConfig {
    /// The defaults.
    pub fn new(rabbit: RabbitConfig) -> Self {
        IntakeConfig {
            rabbit,
            exchange: "ringway".to_owned(),
            queue: "ringway.in".to_owned(),
            dead_letter_exchange: "ringway.dead".to_owned(),
            dead_letter_queue: "ringway.dead".to_owned(),
            prefetch: 200,
            guarantee: Guarantee::default(),
            on_offline: OnOffline::default(),
            attempts_max: 20,
            retry_pause_first: Duration::from_millis(200),
            retry_pause_max: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// What an event subscription is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedConfig {
    /// The subscription's name at each worker.
    pub name: String,
    /// Which kinds of events; none means all.
    pub kinds: Vec<EventKind>,
    /// How many events may be sent and not acknowledged, for each worker.
    pub window: u32,
    /// Whether clients are slowed down rather than lose messages.
    pub reliable: bool,
}

impl FeedConfig {
    /// A reliable subscription to everything by this name.
    pub fn new(name: impl Into<String>) -> Self {
        FeedConfig { name: name.into(), kinds: vec![], window: 1_000, reliable: true }
    }
}

/// How events go out to RabbitMQ.
#[derive(Clone, Debug)]
pub struct OutletConfig {
    /// Where RabbitMQ is.
    pub rabbit: RabbitConfig,
    /// Which events.
    pub feed: FeedConfig,
    /// The topic exchange that they are published to.
    pub exchange: String,
    /// What happens to an event that no queue is bound for.
    pub on_unroutable: OnUnroutable,
    /// The longest pause between attempts to publish.
    pub retry_pause_max: Duration,
}

/// What happens to an event that RabbitMQ returns, since no queue takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnroutable {
    /// It is counted and gone.
    #[default]
    Drop,
    /// It is published again until a queue takes it; those behind it wait.
    Retry,
}

/// How events go out by HTTP.
#[derive(Clone)]
pub struct WebhookConfig {
    /// Where they are posted: an http or https URL.
    pub url: http::Uri,
    /// Whom `https` trusts.
    pub trust: Trust,
    /// What requests are signed with; none: they are not signed.
    pub secret: Option<String>,
    /// Which events.
    pub feed: FeedConfig,
    /// How many events one request carries at the most.
    pub batch_events_max: usize,
    /// How long a request may take, connecting included.
    pub timeout: Duration,
    /// The longest pause between attempts.
    pub retry_pause_max: Duration,
    /// What happens to events that the receiver refuses for good.
    pub on_refused: OnRefused,
}

impl std::fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookConfig").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What happens to events that a webhook's receiver refuses with a status that does not change by trying again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRefused {
    /// They are counted and gone.
    #[default]
    Drop,
    /// They are posted again until they are taken; those behind them wait.
    Retry,
}
