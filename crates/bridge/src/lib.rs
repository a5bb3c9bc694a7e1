//! Doors for back ends that do not speak gRPC: RabbitMQ in and out, webhooks.
//!
//! Messages come in from a queue (`intake`), and are acknowledged when the cluster has taken them. Events of sessions and
//! clients go out (`feed` → `pump` → a sink: `outlet` or `webhook`), and are acknowledged at their worker when the sink has
//! confirmed them. So whatever dies in between, a message or an event comes again rather than getting lost.
//!
//! What is decided is pure and beside what carries it out: what a delivery asks for and what becomes of it (`intake`), how an event looks
//! to others (`cloudevent`), how a request is signed and what its answer means (`webhook`).

mod amqp;
mod bridge;
mod cloudevent;
mod config;
mod feed;
mod intake;
mod metrics;
mod outlet;
mod pump;
mod trust;
mod webhook;

pub use amqp::RabbitError;
pub use bridge::{run_intake, run_outlets};
pub use cloudevent::json as cloud_event;
pub use config::{
    FeedConfig, IntakeConfig, OnRefused, OnUnroutable, OutletConfig, Outlets, RabbitConfig, Topology,
    WebhookConfig, Workers,
};
pub use feed::{Batch, Feed, follow_events};
pub use intake::{
    ATTEMPTS_HEADER, DETAIL_HEADER, GUARANTEE_HEADER, Guarantee, OnOffline, QUEUE_HEADER, REASON_HEADER,
    TARGET_HEADER, TOPIC_HEADER,
};
pub use trust::{Trust, TrustError};
pub use webhook::{SIGNATURE_HEADER, signature};

/// Whether a URL of RabbitMQ can be read.
///
/// # Errors
/// What is wrong with it.
pub fn check_rabbit_url(url: &str) -> Result<(), RabbitError> {
    amqp::check_url(url).map(drop)
}

/// Whether a URL of RabbitMQ asks for TLS.
pub fn is_rabbit_url_tls(url: &str) -> bool {
    amqp::check_url(url).is_ok_and(|uri| amqp::is_tls(&uri))
}

/// Whether a webhook can be posted to a URL.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_webhook_url(url: &http::Uri) -> Result<(), String> {
    webhook::check_url(url).map_err(|error| error.to_string())
}
