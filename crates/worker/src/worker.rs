//! The worker as a whole: its parts, its services, its life.

use std::sync::Arc;
use std::time::Duration;

use ringway_cluster::{View, Views};
use ringway_dispatch::{Dispatcher, RequestRules};
use ringway_proto::Refusal;
use ringway_proto::v1::{GatewayFrames, WorkerFrames};
use ringway_ring::MemberId;
use ringway_rpc::{NodePool, NodeServices};
use ringway_session::{CloseCode, GroupId};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::WorkerConfig;
use crate::delivery::DeliveryService;
use crate::hub::Hub;
use crate::interest::Interest;
use crate::link::outbox::Outbox;
use crate::link::{self, LinkService};
use crate::metrics::Metrics;
use crate::peer::{PeerService, Reporters};
use crate::sessions::SessionsService;

/// How often links are looked at: whether one is stalled, and how much waits for them.
const LINKS_INTERVAL: Duration = Duration::from_secs(1);

/// A worker. A cheap handle: clones are the same worker.
#[derive(Clone)]
pub struct Worker {
    shared: Arc<Shared>,
}

/// What the parts of a worker share.
pub(crate) struct Shared {
    pub(crate) config: WorkerConfig,
    /// Another number at each start.
    pub(crate) incarnation: u64,
    pub(crate) views: Views,
    pub(crate) pool: NodePool,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) hub: Hub,
    pub(crate) interest: Arc<Interest>,
    pub(crate) metrics: Metrics,
}

impl Worker {
    /// A worker without sessions. It serves nobody until its services are served, and tells nobody of its groups until
    /// it [runs](Worker::run).
    pub fn new(config: WorkerConfig, incarnation: u64, views: Views, pool: NodePool) -> Self {
        let metrics = Metrics::new(&config.id);
        let interest = Arc::new(Interest::new(config.id.clone(), &views.current()));
        let hub = Hub::new(&config, Arc::clone(&interest), metrics.clone());
        let dispatcher = Dispatcher::new(views.clone(), pool.clone());
        let shared = Shared { config, incarnation, views, pool, dispatcher, hub, interest, metrics };
        Worker { shared: Arc::new(shared) }
    }

    /// The worker's name on the ring.
    pub fn id(&self) -> &MemberId {
        &self.shared.config.id
    }

    /// Adds the worker's gRPC services to those of its node: Link, Delivery, Sessions and Peer.
    pub fn add_services(&self, services: NodeServices) -> NodeServices {
        let limits = self.shared.config.limits;
        let shared = || Arc::clone(&self.shared);
        services
            .with(limits.link_server(LinkService(shared())))
            .with(limits.delivery_server(DeliveryService(shared())))
            .with(limits.sessions_server(SessionsService(shared())))
            .with(limits.peer_server(PeerService(shared())))
    }

    /// Attaches a gateway of the same process: its frames go in, the worker's come out.
    ///
    /// # Errors
    /// When the frames do not begin with a `Hello`.
    pub async fn attach<S>(
        &self,
        frames: S,
    ) -> Result<impl Stream<Item = WorkerFrames> + Send + 'static, Refusal>
    where
        S: Stream<Item = GatewayFrames> + Send + Unpin + 'static,
    {
        link::attach(Arc::clone(&self.shared), frames).await
    }

    /// Works until `shutdown`, then goes through the phases of leaving: refuse new sessions, close those that are
    /// here, let the last frames leave. Serve the worker's services until this returns.
    pub async fn run(&self, shutdown: CancellationToken) {
        let reporters = Reporters::new(Arc::clone(&self.shared));
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = reporters.run() => {}
            () = self.watch_links() => {}
        }
        self.leave().await;
    }

    async fn leave(&self) {
        let reason = "the session's worker is leaving; reconnect";
        let (sessions, outboxes) = self.shared.hub.leave(CloseCode::RESTART, reason);
        info!(
            phase = "close",
            sessions, "the worker leaves: no new links and sessions, those that were here are closed"
        );
        let flushed = async {
            for outbox in &outboxes {
                outbox.flushed().await;
            }
        };
        if tokio::time::timeout(self.shared.config.flush_timeout, flushed).await.is_err() {
            warn!(phase = "flush", "some gateways did not take their last frames in time");
        }
        for outbox in outboxes {
            outbox.close();
        }
    }

    async fn watch_links(&self) {
        let mut ticks = tokio::time::interval(LINKS_INTERVAL);
        loop {
            ticks.tick().await;
            self.shared.hub.break_stalled(self.shared.config.link_stall_timeout);
            self.shared.metrics.queue_bytes.set(self.shared.hub.queue_bytes() as f64);
        }
    }
}

impl Shared {
    /// Waits until the homes of these groups know of their members here. Homes that let somebody wait for too long are
    /// not waited for again until they have caught up.
    pub(crate) async fn settle(&self, groups: &[GroupId]) {
        if !self.interest.settle(groups, self.config.settle_timeout).await {
            self.interest.give_up_waiting();
        }
    }

    /// Slows a sender down while links are crowded, for a bounded time.
    pub(crate) async fn wait_for_room(&self, crowded: &[Arc<Outbox>]) {
        if crowded.is_empty() {
            return;
        }
        let room = async {
            for outbox in crowded {
                outbox.room().await;
            }
        };
        // Beyond the bound the sender goes on: the outbox has a bound of its own.
        _ = tokio::time::timeout(self.config.crowded_wait_max, room).await;
    }

    /// Whether this worker owns what the view gives this owner.
    pub(crate) fn is_me(&self, id: &MemberId) -> bool {
        *id == self.config.id
    }

    /// What requests must comply with.
    pub(crate) fn rules(&self) -> RequestRules {
        RequestRules::new(self.config.limits.message_bytes_max())
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.views.current()
    }
}
