//! The registry: a node of the gossip.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use chitchat::{ChitchatConfig, ChitchatId, FailureDetectorConfig, spawn_chitchat};
use parking_lot::Mutex;
use ringway_cluster::{Lease, Member, MemberList, Registry, RegistryError};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::GossipConfig;
use crate::hub::Hub;
use crate::lease::GossipLease;
use crate::pulse::Pulse;
use crate::seal::Seal;
use crate::seeds::{SeedTask, resolve};
use crate::task::GossipTask;
use crate::transport::SealedTransport;

/// How long it is remembered that a member left.
const GOODBYES_KEPT: Duration = Duration::from_secs(600);

/// Why a node cannot take part.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket does not say where it is.
    #[error("the gossip's socket")]
    Socket(#[source] io::Error),
    /// The socket listens everywhere, and no seed tells on which of the machine's addresses others reach it.
    #[error(
        "gossip listens at {listen}, which is no address that others can reach: give the one that is \
         (gossip.advertise)"
    )]
    NoAddress {
        /// Where it listens.
        listen: SocketAddr,
    },
    /// The socket is for this machine only, and all seeds are elsewhere.
    #[error(
        "gossip listens at {listen}, where only this machine reaches it, but every seed is elsewhere ({seed}): \
         give an address that the seeds can reach (gossip.listen, or node.rpc_listen)"
    )]
    OnlyHere {
        /// Where it listens.
        listen: SocketAddr,
        /// One of the seeds.
        seed: SocketAddr,
    },
    /// The gossip did not start.
    #[error("the gossip: {0:#}")]
    Gossip(anyhow::Error),
}

/// A node of the gossip, with or without members. Clones are the same node.
#[derive(Clone)]
pub struct GossipRegistry {
    hub: Arc<Hub>,
    address: SocketAddr,
    end: CancellationToken,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl GossipRegistry {
    /// Takes part over this socket. Waits for the first peers if there are seeds, but not longer than the configuration
    /// says: the first node of a cluster has nobody to wait for.
    ///
    /// # Errors
    /// [`StartError`]: where the others shall reach this node cannot be told.
    pub async fn start(socket: UdpSocket, config: GossipConfig) -> Result<Self, StartError> {
        let listen = socket.local_addr().map_err(StartError::Socket)?;
        let seeds = resolve(&config.seeds).await;
        let address = advertised(&config, listen, &seeds).await?;
        let pulse = Arc::new(Pulse::new(config.failure_timeout));
        let seal = Seal::new(&config.secret, &config.cluster);
        let transport = SealedTransport::new(socket, seal, Arc::clone(&pulse));
        let gossip = spawn_chitchat(chitchat(&config, address), Vec::new(), &transport);
        let gossip = gossip.await.map_err(StartError::Gossip)?;
        let has_seeds = config.seeds.iter().any(|seed| seed.parse() != Ok(address));
        let first_contact = has_seeds.then_some(config.first_contact);
        let hub = Arc::new(Hub::new(gossip, pulse, first_contact));
        hub.heed_news().await;
        let end = CancellationToken::new();
        tokio::spawn(SeedTask::new(Arc::clone(&hub), config.seeds.clone(), address, seeds).run(end.clone()));
        let task = GossipTask { hub: Arc::clone(&hub), every: config.interval / 2, end: end.clone() };
        let task = Arc::new(Mutex::new(Some(tokio::spawn(task.run()))));
        info!(node = config.node, %address, cluster = config.cluster, "gossip begins");
        let registry = Self { hub, address, end, task };
        if let Some(patience) = first_contact {
            registry.first_contact(patience).await;
        }
        Ok(registry)
    }

    /// Where the others reach this node.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says goodbye to the others and ends. All members that it carries leave.
    pub async fn close(self) {
        self.end.cancel();
        let task = self.task.lock().take();
        if let Some(task) = task {
            // A task that panicked has ended as well.
            let _ = task.await;
        }
    }

    /// Waits until everybody is heard whom the first peer knows.
    async fn first_contact(&self, patience: Duration) {
        let mut census = self.hub.census();
        let met =
            timeout(patience, census.wait_for(|census| census.known > 0 && census.alive == census.known));
        let all_heard = matches!(met.await, Ok(Ok(_)));
        let census = *self.hub.census().borrow();
        info!(all_heard, nodes_known = census.known, nodes_heard = census.alive, "gossip has begun");
    }
}

#[async_trait]
impl Registry for GossipRegistry {
    async fn join(&self, member: Member) -> Result<Box<dyn Lease>, RegistryError> {
        Ok(Box::new(GossipLease::join(Arc::clone(&self.hub), member).await?))
    }

    fn watch(&self) -> watch::Receiver<MemberList> {
        self.hub.watch()
    }
}

/// Where the others reach a socket: as it is told, else at its address, else at the address from which the seeds are
/// reached.
async fn advertised(
    config: &GossipConfig,
    listen: SocketAddr,
    seeds: &BTreeSet<SocketAddr>,
) -> Result<SocketAddr, StartError> {
    let address = match config.advertise {
        Some(address) => address,
        None if listen.ip().is_unspecified() => {
            let ip = way_out(listen, seeds).await.ok_or(StartError::NoAddress { listen })?;
            SocketAddr::new(ip, listen.port())
        }
        None => listen,
    };
    match seeds.first() {
        Some(seed) if listen.ip().is_loopback() && seeds.iter().all(|seed| !seed.ip().is_loopback()) => {
            Err(StartError::OnlyHere { listen, seed: *seed })
        }
        _ => Ok(address),
    }
}

/// The address of this machine on the way to the first seed for which there is a way. Nothing is sent.
async fn way_out(listen: SocketAddr, seeds: &BTreeSet<SocketAddr>) -> Option<IpAddr> {
    for seed in seeds {
        let probe = UdpSocket::bind(SocketAddr::new(listen.ip(), 0)).await.ok()?;
        if probe.connect(seed).await.is_ok() {
            return probe.local_addr().ok().map(|address| address.ip());
        }
    }
    None
}

/// The detector with a window of one interval is in effect a fixed timeout: the mean that it compares with is five parts
/// `failure_timeout` and one part the last interval, so a node is dead after five to six sixths of the timeout.
fn chitchat(config: &GossipConfig, address: SocketAddr) -> ChitchatConfig {
    ChitchatConfig {
        chitchat_id: ChitchatId::new(config.node.as_str(), generation(), address),
        cluster_id: config.cluster.clone(),
        gossip_interval: config.interval,
        listen_addr: address,
        seed_nodes: Vec::new(),
        failure_detector_config: FailureDetectorConfig {
            phi_threshold: 1.0,
            sampling_window_size: 1,
            max_interval: config.failure_timeout,
            initial_interval: config.failure_timeout,
            dead_node_grace_period: config.alone_after,
        },
        marked_for_deletion_grace_period: GOODBYES_KEPT,
        catchup_callback: None,
        extra_liveness_predicate: None,
    }
}

/// A number that is higher at each start.
fn generation() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
