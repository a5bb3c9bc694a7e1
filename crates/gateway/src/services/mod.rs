//! The gRPC services of a gateway's rpc port, for callers that know no ring: each call is checked and forwarded to the
//! worker concerned, once.
//!
//! A gateway owns nobody. So a call that was forwarded already is refused (`NOT_OWNER`): whoever sent it here has a view in
//! which this gateway is a worker, and is told to refresh it.

mod delivery;
mod presence;
mod publish;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use ringway_dispatch::{Dispatcher, PRESENCE_GRACE_DEFAULT, RequestRules, StreamBounds};
use ringway_proto::v1::Routing;
use ringway_proto::{Reason, Refusal};
use ringway_rpc::{NodeLimits, NodeServices, PublisherConfig};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use delivery::DeliveryService;
use presence::PresenceService;
use sessions::SessionsService;

/// How a gateway forwards calls.
#[derive(Clone, Copy, Debug)]
pub struct ForwardConfig {
    /// The sizes of messages.
    pub limits: NodeLimits,
    /// How long a forwarded call may take. Default 5 s.
    pub timeout: Duration,
    /// The streams to the workers of one Publish stream.
    pub publish: PublisherConfig,
    /// The bounds of one Publish stream.
    pub stream: StreamBounds,
    /// For how long a user whose worker has died may come back before who watches it is told that it is offline:
    /// `sessions.resume_window`. Default 30 s.
    pub presence_grace: Duration,
}

impl Default for ForwardConfig {
    fn default() -> Self {
        Self {
            limits: NodeLimits::default(),
            timeout: Duration::from_secs(5),
            publish: PublisherConfig::default(),
            stream: StreamBounds::default(),
            presence_grace: PRESENCE_GRACE_DEFAULT,
        }
    }
}

/// Adds a gateway's services, Delivery, Sessions and Presence, to those of its node. `end` ends the streams of those who
/// watch and of those who publish.
pub fn add_services(
    services: NodeServices,
    dispatcher: Dispatcher,
    config: ForwardConfig,
    end: CancellationToken,
) -> NodeServices {
    let rules = RequestRules::new(config.limits.message_bytes_max());
    let forwarder = Arc::new(Forwarder { dispatcher, rules, config, end });
    services
        .with(config.limits.delivery_server(DeliveryService(Arc::clone(&forwarder))))
        .with(config.limits.presence_server(PresenceService(Arc::clone(&forwarder))))
        .with(config.limits.sessions_server(SessionsService(forwarder)))
}

/// What the services share.
struct Forwarder {
    dispatcher: Dispatcher,
    rules: RequestRules,
    config: ForwardConfig,
    end: CancellationToken,
}

impl Forwarder {
    /// Refuses what was forwarded already.
    fn check_hops(&self, routing: Option<&Routing>) -> Result<(), Refusal> {
        if routing.is_none_or(|routing| routing.hops == 0) {
            return Ok(());
        }
        let message = "the call was forwarded to a gateway, which owns nobody; refresh the ring";
        let version = self.dispatcher.views().current().version();
        Err(Refusal::new(Reason::NotOwner, message).with_ring(version))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.config.timeout
    }
}
