//! The worker as a whole: its parts, its services, its life.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringway_cluster::{View, Views};
use ringway_dispatch::{Dispatcher, RequestRules};
use ringway_proto::Refusal;
use ringway_proto::v1::{GatewayFrames, NodeStatus, WorkerFrames};
use ringway_ring::MemberId;
use ringway_rpc::{NodePool, NodeServices};
use ringway_session::{CloseCode, GroupId};
use ringway_store::PresenceExport;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::WorkerConfig;
use crate::convert::session_to_proto;
use crate::delivery::DeliveryService;
use crate::events::{EventHub, EventsService, Subscribe, SubscribeError, Subscription};
use crate::hub::{Hub, HubParts};
use crate::interest::Interest;
use crate::link::outbox::Outbox;
use crate::link::sends::Outgoing;
use crate::link::{self, LinkService};
use crate::mailbox::{self, Office};
use crate::metrics::Metrics;
use crate::moving::{self, Follower};
use crate::peer::{PeerService, Reporters};
use crate::presence::{self, Exporter, PresenceService};
use crate::seal::Seal;
use crate::sessions::SessionsService;

/// How often links are looked at: whether one is stalled, and how much waits for them.
const LINKS_INTERVAL: Duration = Duration::from_secs(1);

/// How often the time is looked at: who has waited too long, and until when the lease is valid.
const TIME_INTERVAL: Duration = Duration::from_millis(100);
/// How often a worker that drains counts its sessions.
const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A worker. A cheap handle: clones are the same worker.
#[derive(Clone)]
pub struct Worker {
    shared: Arc<Shared>,
}

/// Says until when the worker may act.
type ValidUntil = Arc<dyn Fn() -> Option<std::time::Instant> + Send + Sync>;

/// What the parts of a worker share.
pub(crate) struct Shared {
    pub(crate) config: WorkerConfig,
    /// Another number at each start.
    pub(crate) incarnation: u64,
    pub(crate) views: Views,
    pub(crate) pool: NodePool,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) hub: Hub,
    pub(crate) events: EventHub,
    pub(crate) interest: Arc<Interest>,
    pub(crate) metrics: Metrics,
    pub(crate) seal: Arc<Seal>,
    /// The users' mailboxes, if there are any.
    pub(crate) office: Option<Arc<Office>>,
    /// The way of what clients send to others.
    pub(crate) outgoing: Outgoing,
    /// Until when the worker may act, if anybody says so.
    pub(crate) valid_until: Mutex<Option<ValidUntil>>,
    /// Where it is written who is online, if anywhere.
    pub(crate) export: Mutex<Option<Arc<dyn PresenceExport>>>,
    /// The worker has left: the streams of those who watch, publish and report end.
    pub(crate) has_left: CancellationToken,
}

impl Worker {
    /// A worker without sessions. It serves nobody until its services are served, and tells nobody of its groups until
    /// it [runs](Worker::run).
    pub fn new(mut config: WorkerConfig, incarnation: u64, views: Views, pool: NodePool) -> Self {
        config.policy.mailboxes = config.mailboxes.is_some();
        let office = config.mailboxes.clone().map(|mailboxes| Arc::new(Office::new(mailboxes)));
        let metrics = Metrics::new(&config.id);
        let interest = Arc::new(Interest::new(config.id.clone(), &views.current()));
        let seal = Arc::new(Seal::new(pool.secret()));
        let empty = Arc::clone(View::empty(views.current().ring().strategy()).ring());
        let events = EventHub::new(&config.id, incarnation, config.events.clone());
        let parts = HubParts {
            interest: Arc::clone(&interest),
            seal: Arc::clone(&seal),
            metrics: metrics.clone(),
            events: events.clone(),
        };
        let hub = Hub::new(&config, empty, parts);
        let dispatcher = Dispatcher::new(views.clone(), pool.clone());
        let shared = Shared {
            config,
            incarnation,
            views,
            pool,
            dispatcher,
            hub,
            events,
            interest,
            metrics,
            seal,
            office,
            outgoing: Outgoing::default(),
            valid_until: Mutex::default(),
            export: Mutex::default(),
            has_left: CancellationToken::new(),
        };
        Worker { shared: Arc::new(shared) }
    }

    /// The worker's name on the ring.
    pub fn id(&self) -> &MemberId {
        &self.shared.config.id
    }

    /// Adds the worker's gRPC services to those of its node: Link, Delivery, Sessions, Presence, Peer and Events.
    pub fn add_services(&self, services: NodeServices) -> NodeServices {
        let limits = self.shared.config.limits;
        let shared = || Arc::clone(&self.shared);
        services
            .with(limits.link_server(LinkService(shared())))
            .with(limits.delivery_server(DeliveryService(shared())))
            .with(limits.sessions_server(SessionsService(shared())))
            .with(limits.presence_server(PresenceService(shared())))
            .with(limits.peer_server(PeerService(shared())))
            .with(limits.events_server(EventsService(shared())))
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

    /// Subscribes to this worker's events, within the process.
    ///
    /// # Errors
    /// When the wish breaks a rule, or somebody has a subscription of this name, or there are too many.
    pub fn subscribe(&self, wish: Subscribe) -> Result<Subscription, SubscribeError> {
        self.shared.events.subscribe(wish)
    }

    /// Works until `shutdown`, then goes through the phases of leaving: refuse new sessions, close those that are
    /// here, let the last frames leave. Serve the worker's services until this returns. To move the sessions to other workers
    /// first, take the worker off the ring and [wait](Worker::drained).
    pub async fn run(&self, shutdown: CancellationToken) {
        let exporter = self.start_exporter();
        let reporters = Reporters::new(Arc::clone(&self.shared));
        let follower = Follower::new(Arc::clone(&self.shared));
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = reporters.run() => {}
            () = follower.run() => {}
            () = moving::leave_for_ever(Arc::clone(&self.shared)) => {}
            () = presence::follow_friends(&self.shared) => {}
            () = self.watch_links() => {}
            () = self.watch_time() => {}
            () = mailbox::run_errands(Arc::clone(&self.shared)) => {}
            () = mailbox::tell_taken(Arc::clone(&self.shared)) => {}
        }
        self.leave().await;
        self.shared.close_mailboxes().await;
        self.shared.flush_mailboxes().await;
        self.shared.has_left.cancel();
        if let Some(exporter) = exporter {
            // It has failed only if it has panicked: there is nothing to be done any more.
            _ = exporter.await;
        }
    }

    /// Writes from now on who is online, for others to read. To be called before the worker runs.
    pub fn export_presence(&self, export: Arc<dyn PresenceExport>) {
        self.shared.hub.begin_export();
        *self.shared.export.lock() = Some(export);
    }

    fn start_exporter(&self) -> Option<JoinHandle<()>> {
        let export = self.shared.export.lock().clone()?;
        Some(tokio::spawn(Exporter::new(Arc::clone(&self.shared), export).run()))
    }

    /// Acts only until the moment that `valid_until` gives, which is asked again and again: that of the worker's lease
    /// ([`Lease::valid_until`](ringway_cluster::Lease::valid_until)).
    pub fn act_until(&self, valid_until: impl Fn() -> Option<std::time::Instant> + Send + Sync + 'static) {
        self.shared.hub.set_valid_until(valid_until());
        *self.shared.valid_until.lock() = Some(Arc::new(valid_until));
    }

    /// What it holds and has counted at this moment.
    pub fn status(&self) -> NodeStatus {
        let (numbers, slowest) = self.shared.hub.status();
        let worker = self.id().as_str();
        NodeStatus {
            worker: worker.to_owned(),
            incarnation: self.shared.incarnation,
            slowest: slowest.into_iter().map(|shown| session_to_proto(shown, worker)).collect(),
            ..numbers
        }
    }

    /// How many sessions are here, and on the way to other workers.
    pub fn sessions(&self) -> usize {
        let remaining = self.shared.hub.remaining();
        remaining.here + remaining.on_the_way
    }

    /// Waits until no session is here or on its way to another worker, at most until the deadline of the configuration.
    /// Gives back how many are left. Where the ring still has this worker when the time is over in which its registry should have
    /// shown that it leaves, nothing moves, and it gives up; at once where there is no other worker.
    pub async fn drained(&self) -> usize {
        let deadline = Instant::now() + self.shared.config.drain_timeout;
        let patience = deadline.min(Instant::now() + self.shared.config.off_ring_wait_max);
        self.off_the_ring(patience).await;
        let mut ticks = tokio::time::interval(DRAIN_POLL_INTERVAL);
        while self.sessions() > 0 && Instant::now() < deadline && self.others_have_the_ring() {
            ticks.tick().await;
        }
        self.sessions()
    }

    /// Waits for a ring without this worker.
    async fn off_the_ring(&self, patience: Instant) {
        let mut changes = self.shared.hub.changes();
        while self.is_on_ring() {
            if timeout_at(patience, changes.changed()).await.is_err() {
                return;
            }
        }
    }

    fn others_have_the_ring(&self) -> bool {
        !self.is_on_ring() && !self.shared.view().ring().active_members().is_empty()
    }

    fn is_on_ring(&self) -> bool {
        self.shared.hub.ring_has(&self.shared.config.id)
    }

    /// Ends what has lasted too long, and keeps an eye on the lease.
    async fn watch_time(&self) {
        let mut ticks = tokio::time::interval(TIME_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let valid_until = self.shared.valid_until.lock().clone();
            if let Some(valid_until) = valid_until {
                self.shared.hub.set_valid_until(valid_until());
            }
            self.shared.hub.expire();
            self.shared.events.expire();
        }
    }

    async fn leave(&self) {
        self.shared.outgoing.close();
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
        let both = async { tokio::join!(flushed, self.shared.events.flush()) };
        if tokio::time::timeout(self.shared.config.flush_timeout, both).await.is_err() {
            warn!(
                phase = "flush",
                "some gateways or subscribers did not take their last frames or events in time"
            );
        }
        self.shared.events.close();
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
