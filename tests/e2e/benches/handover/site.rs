//! The processes: workers and a gateway that find each other by gossip, as they do by default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringway_e2e::cluster::address_in;
use ringway_e2e::metrics::Metrics;
use ringway_e2e::{PATIENCE, Process, address, procfs};
use ringway_rpc::{ClusterSecret, NodeChannel, NodePool, PoolConfig};
use ringway_sender::{PublishConfig, Sender, SenderConfig};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::options::Options;

/// How many workers there are. The last one goes and comes; the first one is where the others begin to gossip.
const WORKERS: usize = 3;
/// Where nobody is.
const NOWHERE: &str = "127.0.0.1:1";
/// Longer than a killed worker counts as alive: what waits for its successor is not given up.
const SEND_DEADLINE: Duration = Duration::from_secs(30);
/// More than is sent meanwhile, so that sending never waits for room.
const IN_FLIGHT_MAX: u32 = 1_000_000;

/// The cluster.
pub(crate) struct Site {
    pub(crate) gateway: Node,
    pub(crate) workers: Vec<Node>,
    secret: ClusterSecret,
    plan: Plan,
}

/// A node.
pub(crate) struct Node {
    pub(crate) process: Process,
    name: String,
    ready: Value,
}

/// How nodes are started.
struct Plan {
    binary: PathBuf,
    home: TempDir,
    secret: String,
    settings: Vec<String>,
}

impl Site {
    pub(crate) async fn start(options: &Options, binary: &Path) -> Self {
        let secret = ClusterSecret::generate();
        let plan = Plan::new(options, binary, &secret);
        let first = plan.worker(1, NOWHERE).await;
        let seed = first.told("rpc").to_string();
        let mut workers = vec![first];
        for number in 2..=WORKERS {
            workers.push(plan.worker(number, &seed).await);
        }
        let own = ["gateway", "--id", "g1", "--listen", &plan.any_port()];
        let gateway = plan.start("g1", &own, &seed).await;
        let site = Self { gateway, workers, secret, plan };
        site.settled().await;
        site
    }

    /// The worker that goes and comes.
    pub(crate) fn moving(&self) -> &Node {
        &self.workers[WORKERS - 1]
    }

    /// Kills it (SIGKILL).
    pub(crate) async fn kill_moving(&mut self) {
        self.workers[WORKERS - 1].process.kill().await;
    }

    /// Starts it again.
    pub(crate) async fn start_moving(&mut self) {
        let seed = self.workers[0].told("rpc").to_string();
        self.workers[WORKERS - 1] = self.plan.worker(WORKERS, &seed).await;
    }

    /// A sender that learns the ring from the gateway.
    pub(crate) async fn sender(&self) -> Sender {
        let publish = PublishConfig { in_flight_max: IN_FLIGHT_MAX, ..PublishConfig::default() };
        let config = SenderConfig::new([self.gateway.told("rpc").into()], self.secret.clone());
        let config = SenderConfig { deadline: SEND_DEADLINE, publish, ..config };
        Sender::connect(config).await.expect("the gateway shows the ring")
    }

    /// A channel to the worker that goes and comes.
    pub(crate) fn channel(&self) -> NodeChannel {
        NodePool::new(self.secret.clone(), PoolConfig::default()).node(&self.moving().told("rpc").into())
    }

    /// The processor time of the gateway, and of all workers together.
    pub(crate) fn cpu(&self) -> [Duration; 2] {
        let of = |node: &Node| procfs::cpu_time(node.process.id());
        [of(&self.gateway), self.workers.iter().map(of).sum()]
    }

    /// Waits until all nodes have the ring of all workers.
    async fn settled(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut rings = Vec::new();
            for node in self.workers.iter().chain([&self.gateway]) {
                let metrics = node.metrics().await;
                let active = metrics.sum("ringway_cluster_members", &["state=\"active\""]);
                rings.push((active as usize, metrics.sum("ringway_cluster_ring_version", &[])));
            }
            if rings.iter().all(|ring| *ring == (WORKERS, rings[0].1)) {
                return;
            }
            assert!(Instant::now() < deadline, "the nodes do not find each other: {rings:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Holds that every process runs and that none has panicked.
    pub(crate) fn assert_sound(&mut self) {
        let nodes = self.workers.iter_mut().chain([&mut self.gateway]);
        nodes.for_each(|node| node.process.assert_sound());
    }
}

impl Node {
    /// An address in its ready line.
    pub(crate) fn told(&self, key: &str) -> SocketAddr {
        address_in(&self.ready, key).unwrap_or_else(|| panic!("{} told no {key}: {}", self.name, self.ready))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::of(self.told("status")).await
    }
}

impl Plan {
    fn new(options: &Options, binary: &Path, secret: &ClusterSecret) -> Self {
        Self {
            binary: binary.to_owned(),
            home: tempfile::tempdir().expect("a temporary directory"),
            secret: secret.expose().to_owned(),
            settings: options.settings.iter().flat_map(|set| ["--set".to_owned(), set.clone()]).collect(),
        }
    }

    async fn worker(&self, number: usize, seed: &str) -> Node {
        let name = format!("w{number}");
        self.start(&name, &["worker", "--id", &name], seed).await
    }

    async fn start(&self, name: &str, own: &[&str], seed: &str) -> Node {
        let any_port = self.any_port();
        let shared = ["--rpc-listen", &any_port, "--status-listen", &any_port, "--join", seed];
        let mut command = Command::new(&self.binary);
        command.args(own).args(shared).args(&self.settings).env_clear();
        command.env("RINGWAY_CLUSTER_SECRET", &self.secret).env("HOME", self.home.path());
        let mut process = Process::spawn(name, command);
        let ready = process.ready().await;
        Node { process, name: name.to_owned(), ready }
    }

    fn any_port(&self) -> String {
        format!("{}:0", address::own_ip())
    }
}
