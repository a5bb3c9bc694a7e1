//! Clusters whose nodes find each other by a registry: they come and go while the test runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_rpc::NodeUrl;
use ringway_sender::{Sender, SenderConfig};

use crate::cluster::{Node, Seat, Site, owned, ringway};
use crate::{PATIENCE, address};

/// How long a send may take: longer than any ring change of the tests, so that none fails for its time alone.
const SEND_DEADLINE: Duration = Duration::from_secs(20);

/// A running cluster. Dropped, its processes are killed.
pub struct Fleet {
    /// w1, w2, ...
    pub workers: Vec<Node>,
    /// g1, g2, ...
    pub gateways: Vec<Node>,
    /// Where the first worker's gRPC server and gossip are, if it is not anywhere.
    seed: Option<SocketAddr>,
    settings: Vec<String>,
    site: Arc<Site>,
}

impl Fleet {
    /// So many workers and gateways that gossip, with these settings (`key=value`) beside the defaults.
    pub async fn gossip(workers: usize, gateways: usize, settings: &[&str]) -> Self {
        let seed = address::reserve();
        let seeds = format!("gossip.seeds={seed}");
        let settings: Vec<_> = settings.iter().copied().chain(["cluster.registry=gossip", &seeds]).collect();
        let mut fleet = Self::new(&settings);
        fleet.seed_at(seed);
        for _ in 0..workers {
            fleet.add_worker().await;
        }
        for _ in 0..gateways {
            fleet.add_gateway_at(Seat::here(), &[]).await;
        }
        fleet.settled(workers).await;
        fleet
    }

    /// Without nodes yet. The settings say how they find each other.
    pub fn new(settings: &[&str]) -> Self {
        let (settings, site) = (as_arguments(settings), Arc::new(Site::new("")));
        Self { workers: Vec::new(), gateways: Vec::new(), seed: None, settings, site }
    }

    /// The first worker's gRPC server and gossip shall be here.
    pub fn seed_at(&mut self, seed: SocketAddr) {
        self.seed = Some(seed);
    }

    /// Starts one more worker.
    pub async fn add_worker(&mut self) {
        self.add_worker_at(Seat::here(), &[]).await;
    }

    /// Starts one more worker there, with these settings of its own.
    pub async fn add_worker_at(&mut self, seat: Seat, settings: &[&str]) {
        let name = format!("w{}", self.workers.len() + 1);
        let rpc =
            self.seed.filter(|_| self.workers.is_empty()).unwrap_or_else(|| address::reserve_at(seat.ip));
        self.add_worker_as(&name, rpc, seat, settings).await;
    }

    /// The same with a name and an address for gRPC that somebody else has chosen.
    pub async fn add_worker_as(&mut self, name: &str, rpc: SocketAddr, seat: Seat, settings: &[&str]) {
        let arguments = owned(&["worker", "--id", name, "--rpc-listen", &rpc.to_string()]);
        let own = as_arguments(settings);
        self.workers.push(self.start(seat, &[arguments, own].concat()).await);
    }

    /// Starts one more gateway there, with these settings of its own.
    pub async fn add_gateway_at(&mut self, seat: Seat, settings: &[&str]) {
        let name = format!("g{}", self.gateways.len() + 1);
        let any_port = format!("{}:0", seat.ip);
        let arguments = ["gateway", "--id", &name, "--listen", &any_port, "--rpc-listen", &any_port];
        let own = as_arguments(settings);
        self.gateways.push(self.start(seat, &[owned(&arguments), own].concat()).await);
    }

    /// A sender that learns the ring from any gateway.
    pub async fn sender(&self) -> Sender {
        let nodes: Vec<NodeUrl> = self.gateways.iter().map(Node::url).collect();
        let config =
            SenderConfig { deadline: SEND_DEADLINE, ..SenderConfig::new(nodes, self.site.secret.clone()) };
        Sender::connect(config).await.expect("the gateways show the ring")
    }

    /// A file with the cluster's secret.
    pub fn secret_file(&self) -> std::path::PathBuf {
        self.site.directory.path().join("secret")
    }

    /// Channels to the nodes.
    pub fn pool(&self) -> ringway_rpc::NodePool {
        ringway_rpc::NodePool::new(self.site.secret.clone(), ringway_rpc::PoolConfig::default())
    }

    /// Runs a subcommand of the binary that asks a gateway, such as `drain w1`.
    pub async fn operate(&self, line: &str) -> String {
        let (node, secret) = (self.gateways[0].url().to_string(), self.secret_file());
        let line = format!("{line} --node {node} --secret-file {}", secret.display());
        let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let output = ringway(&arguments, self.site.directory.path()).output();
        let output = tokio::time::timeout(2 * PATIENCE, output).await;
        let output = output.unwrap_or_else(|_| panic!("{line} does not end")).expect("the binary runs");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until all nodes that run have the same ring, of so many active workers.
    pub async fn settled(&self, active: usize) {
        self.see(self.workers.iter().chain(&self.gateways), active).await;
    }

    /// Waits until the gateways and these workers have the same ring, of so many active workers.
    pub async fn settled_without(&self, worker: usize, active: usize) {
        let others = self.workers.iter().enumerate().filter(|(at, _)| *at != worker).map(|(_, node)| node);
        self.see(others.chain(&self.gateways), active).await;
    }

    async fn see(&self, nodes: impl Iterator<Item = &Node> + Clone, active: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut rings = Vec::new();
            for node in nodes.clone() {
                let metrics = node.metrics().await;
                let members = metrics.sum("ringway_cluster_members", &["state=\"active\""]);
                rings.push((members, metrics.sum("ringway_cluster_ring_version", &[])));
            }
            if rings.iter().all(|ring| *ring == rings[0] && ring.0 == active as f64) {
                return;
            }
            assert!(Instant::now() < deadline, "the rings are {rings:?}, not of {active} workers");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The sum of a metric's series over all gateways.
    pub async fn over_gateways(&self, name: &str, labels: &[&str]) -> f64 {
        let mut sum = 0.0;
        for gateway in &self.gateways {
            sum += gateway.metrics().await.sum(name, labels);
        }
        sum
    }

    /// Holds that every process runs and that none has panicked.
    pub fn assert_sound(&mut self) {
        self.workers.iter_mut().chain(&mut self.gateways).for_each(|node| node.process.assert_sound());
    }

    async fn start(&self, seat: Seat, arguments: &[String]) -> Node {
        let mut node = Node::start(&self.site, seat, &[arguments, &self.settings].concat());
        node.ready = node.process.ready().await;
        node
    }
}

fn as_arguments(settings: &[&str]) -> Vec<String> {
    settings.iter().flat_map(|setting| owned(&["--set", setting])).collect()
}
