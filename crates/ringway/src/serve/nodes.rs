//! Starting nodes: a worker or a gateway with its gRPC server, in this process.

use std::sync::Arc;
use std::time::Duration;

use ringway_cluster::{Lease, Member, MemberState, RingService, Views};
use ringway_dispatch::Dispatcher;
use ringway_gateway::{Gateway, Listener, ShutdownConfig};
use ringway_ring::MemberId;
use ringway_rpc::{ClusterSecret, HealthHandle, NodePool, NodeServices, serve_node};
use ringway_store::PresenceExport;
use ringway_worker::{Mailboxes, Worker, WorkerConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::membership::{List, Membership};
use super::node_service::NodeService;
use super::parts;
use super::running::Running;
use crate::config::Settings;

/// What all nodes of a process share.
#[derive(Clone)]
pub(super) struct Shared {
    /// The way to the present view.
    pub(super) views: Views,
    /// The connections to nodes.
    pub(super) pool: NodePool,
    /// The cluster's secret.
    pub(super) secret: ClusterSecret,
    /// Where the process's workers store messages, if they do.
    pub(super) mailboxes: Option<Mailboxes>,
    /// Where workers write who is online, if anywhere.
    presence_export: Option<Arc<dyn PresenceExport>>,
}

impl Shared {
    /// The way to the ring, and connections that show this secret.
    pub(super) fn new(views: Views, secret: ClusterSecret, settings: &Settings) -> Self {
        let pool = NodePool::new(secret.clone(), parts::pool(settings));
        Self { views, pool, secret, mailboxes: None, presence_export: None }
    }

    /// The same with a store for messages.
    pub(super) fn with_mailboxes(self, mailboxes: Option<Mailboxes>) -> Self {
        Self { mailboxes, ..self }
    }

    /// The same, where workers write who is online.
    pub(super) fn with_presence_export(self, export: Option<Arc<dyn PresenceExport>>) -> Self {
        Self { presence_export: export, ..self }
    }
}

/// How long the phases of a shutdown may take.
pub(super) struct Deadlines {
    /// The clients of a gateway leave.
    pub(super) clients: Duration,
    /// The sessions of a worker end.
    pub(super) sessions: Duration,
    /// Calls under way end.
    pub(super) calls: Duration,
}

impl Deadlines {
    /// What follows from the settings.
    pub(super) fn of(settings: &Settings) -> Self {
        let (gateway, last) = (&settings.gateway, ShutdownConfig::default());
        Self {
            // And for sessions between two workers, and for the last frames on the links.
            clients: gateway.unready_for
                + gateway.drain_window
                + gateway.close_timeout
                + last.moves_timeout
                + last.flush_timeout,
            sessions: settings.handover.drain_timeout + settings.worker.flush_timeout,
            calls: settings.node.shutdown_timeout,
        }
    }
}

/// A number that another start of the same node will not have.
pub(super) fn incarnation() -> u64 {
    rand::random_range(1..=u64::MAX)
}

/// A worker that is on the member list.
pub(super) struct WorkerNode {
    /// The worker.
    pub(super) worker: Worker,
    membership: Arc<Membership>,
}

impl WorkerNode {
    /// The worker of a member that has joined.
    pub(super) fn new(
        member: Member,
        lease: Box<dyn Lease>,
        list: List,
        shared: &Shared,
        settings: &Settings,
    ) -> Self {
        let config = WorkerConfig {
            mailboxes: shared.mailboxes.clone(),
            ..parts::worker(member.id.clone(), settings)
        };
        let worker = Worker::new(config, member.incarnation, shared.views.clone(), shared.pool.clone());
        let membership = Membership::new(member, lease, list);
        let place = Arc::clone(&membership);
        worker.act_until(move || place.valid_until());
        if let Some(export) = &shared.presence_export {
            worker.export_presence(Arc::clone(export));
        }
        Self { worker, membership }
    }

    /// Adds the worker's services to those of its node.
    pub(super) fn add_services(&self, services: NodeServices, settings: &Settings) -> NodeServices {
        let node = NodeService { worker: self.worker.clone(), membership: Arc::clone(&self.membership) };
        self.worker.add_services(services).with(parts::limits(settings).node_server(node))
    }

    /// Starts to work, in the present phase. The member is active as soon as `serving` says that others can call it. At the
    /// end it drains: its sessions move to the other workers; those that are left are closed; then it is off the list.
    pub(super) fn start(self, running: &mut Running, serving: CancellationToken) {
        let name = format!("worker {}", self.worker.id());
        let Self { worker, membership } = self;
        running.start(name, |stop| async move {
            let leaving = CancellationToken::new();
            let life = async {
                serving.cancelled().await;
                show(&membership, MemberState::Active).await;
                stop.cancelled().await;
                show(&membership, MemberState::Draining).await;
                let left = worker.drained().await;
                info!(worker = %worker.id(), left, "shutdown: drained; sessions that are left are closed");
                leaving.cancel();
            };
            tokio::join!(worker.run(leaving.clone()), life);
            membership.leave().await;
            Ok(())
        });
    }
}

async fn show(membership: &Membership, state: MemberState) {
    if let Err(error) = membership.show(state).await {
        warn!(%error, %state, "the member list does not show this worker's state");
    }
}

/// A node's gRPC server, not started yet.
pub(super) struct RpcServer {
    name: String,
    listener: TcpListener,
    services: NodeServices,
    /// Whether the node takes work.
    pub(super) health: HealthHandle,
    /// Ends the streams of those who watch, the ring and users, and of those who publish to a gateway, when the server ends.
    streams: CancellationToken,
}

impl RpcServer {
    /// The server of a node, with the ring on it.
    pub(super) fn new(name: String, listener: TcpListener, shared: &Shared, settings: &Settings) -> Self {
        let (health, streams) = (HealthHandle::new(), CancellationToken::new());
        let ring = RingService::new(shared.views.clone(), streams.clone());
        let limits = parts::limits(settings);
        let services = NodeServices::new(health.clone()).with(limits.ring_server(ring));
        Self { name, listener, services, health, streams }
    }

    /// Adds services.
    pub(super) fn with(mut self, add: impl FnOnce(NodeServices) -> NodeServices) -> Self {
        self.services = add(self.services);
        self
    }

    /// Starts to serve, in the present phase.
    pub(super) fn start(self, running: &mut Running, shared: &Shared, settings: &Settings) {
        let (secret, config) = (shared.secret.clone(), parts::server(settings));
        let Self { name, listener, services, health, streams } = self;
        health.set_serving();
        running.start(format!("the gRPC server of {name}"), |stop| async move {
            let ended = at_end_of(stop.clone(), move || streams.cancel());
            tokio::select! {
                biased;
                served = serve_node(listener, services, secret, config, stop) => Ok(served?),
                never = ended => never,
            }
        });
    }
}

/// The server of a gateway: it forwards calls to the workers concerned.
pub(super) fn forwarding(server: RpcServer, shared: &Shared, settings: &Settings) -> RpcServer {
    let dispatcher = Dispatcher::new(shared.views.clone(), shared.pool.clone());
    let (config, end) = (parts::forward(settings), server.streams.clone());
    server.with(|services| ringway_gateway::add_services(services, dispatcher, config, end))
}

/// Starts to take clients, in the present phase; `health` says no from the beginning of the shutdown.
pub(super) fn start_gateway(
    gateway: Gateway,
    listener: Listener,
    health: HealthHandle,
    running: &mut Running,
) {
    running.start("the gateway", |stop| async move {
        let unready = at_end_of(stop.clone(), move || health.set_not_serving());
        tokio::select! {
            biased;
            served = gateway.serve(vec![listener], stop) => Ok(served?),
            never = unready => never,
        }
    });
}

/// Does something as soon as a part is told to stop, and then never ends: a companion of what really stops.
async fn at_end_of<T>(stop: CancellationToken, act: impl FnOnce()) -> T {
    stop.cancelled().await;
    act();
    std::future::pending().await
}

/// The name of the n-th worker of `ringway up`, counted from 1.
pub(super) fn worker_name(number: u16) -> anyhow::Result<MemberId> {
    Ok(MemberId::new(format!("w{number}"))?)
}
