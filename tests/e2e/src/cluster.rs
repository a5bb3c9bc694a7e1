//! Clusters of real processes: workers and gateways with a static member list, on addresses of their own.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_proto::v1;
use ringway_rpc::{ClusterSecret, NodePool, NodeUrl, PoolConfig};
use ringway_sender::{Sender, SenderConfig};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::client::Client;
use crate::metrics::Metrics;
use crate::process::Process;
use crate::{PATIENCE, address, raise_file_limit, required};

/// How a cluster shall be.
#[derive(Clone, Debug)]
pub struct ClusterBuilder {
    workers: usize,
    gateways: usize,
    config: String,
    worker_arguments: Vec<String>,
    gateway_arguments: Vec<String>,
}

/// A running cluster. Dropped, its processes are killed.
pub struct Cluster {
    /// w1, w2, ...
    pub workers: Vec<Node>,
    /// g1, g2, ...
    pub gateways: Vec<Node>,
    site: Arc<Site>,
}

/// What the nodes of a cluster share.
pub(crate) struct Site {
    pub(crate) directory: TempDir,
    pub(crate) secret: ClusterSecret,
}

/// Where a node runs.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Its address.
    pub ip: IpAddr,
    /// The network namespace, if it is not the test's own.
    pub namespace: Option<String>,
}

/// A node, and where it is.
pub struct Node {
    /// Its process.
    pub process: Process,
    /// What its ready line told.
    pub ready: Value,
    name: String,
    arguments: Vec<String>,
    seat: Seat,
    site: Arc<Site>,
}

impl Seat {
    /// Beside the test.
    pub fn here() -> Self {
        Self { ip: address::own_ip(), namespace: None }
    }
}

impl Cluster {
    /// A cluster of one gateway and one worker, to be changed.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder {
            workers: 1,
            gateways: 1,
            config: String::new(),
            worker_arguments: Vec::new(),
            gateway_arguments: Vec::new(),
        }
    }

    /// A cluster of this many workers and one gateway, as it is by default.
    pub async fn start(workers: usize) -> Self {
        Self::builder().workers(workers).start().await
    }

    /// Where clients connect: at the first gateway.
    pub fn clients(&self) -> SocketAddr {
        self.gateways[0].clients()
    }

    /// Connects a client to the first gateway.
    pub async fn client(&self, token: &str) -> Client {
        Client::connect(self.clients(), token).await
    }

    /// Connects so many clients to the first gateway: user0, user1, ...
    pub async fn connect(&self, count: usize) -> Vec<Client> {
        let mut clients = Vec::with_capacity(count);
        for number in 0..count {
            clients.push(self.client(&format!("user{number}")).await);
        }
        clients
    }

    /// The secret of the cluster.
    pub fn secret(&self) -> &ClusterSecret {
        &self.site.secret
    }

    /// A file with the secret, and the only one in its directory besides the configuration.
    pub fn secret_file(&self) -> std::path::PathBuf {
        self.site.directory.path().join("secret")
    }

    /// Channels to the nodes of the cluster, with its secret.
    pub fn pool(&self) -> NodePool {
        NodePool::new(self.site.secret.clone(), PoolConfig::default())
    }

    /// A sender that learns the ring from the first gateway.
    pub async fn sender(&self) -> Sender {
        let config = SenderConfig::new([self.gateways[0].url()], self.site.secret.clone());
        Sender::connect(config).await.expect("the gateway shows the ring")
    }

    /// All nodes, workers first.
    pub fn nodes(&mut self) -> impl Iterator<Item = &mut Node> {
        self.workers.iter_mut().chain(&mut self.gateways)
    }

    /// The sum of a metric's series over all workers.
    pub async fn over_workers(&self, name: &str, labels: &[&str]) -> f64 {
        let mut sum = 0.0;
        for worker in &self.workers {
            sum += worker.metrics().await.sum(name, labels);
        }
        sum
    }

    /// Waits until every node reaches every worker. A node that started earlier than another has found it missing, and
    /// looks again only after a moment; until then its answers say which workers it could not ask.
    async fn settle(&self) {
        let (pool, deadline) = (self.pool(), Instant::now() + PATIENCE);
        for node in self.workers.iter().chain(&self.gateways) {
            let mut client = pool.node(&node.url()).delivery();
            loop {
                let request = v1::SendToAllRequest { message: Some(v1::Message::default()), routing: None };
                let answer = client.send_to_all(request).await;
                if answer.as_ref().is_ok_and(|receipt| receipt.get_ref().workers_unreached.is_empty()) {
                    break;
                }
                assert!(Instant::now() < deadline, "{} does not reach every worker: {answer:?}", node.name);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Holds that every process runs and that none has panicked.
    pub fn assert_sound(&mut self) {
        self.nodes().for_each(|node| node.process.assert_sound());
    }
}

impl ClusterBuilder {
    /// With this many workers.
    pub fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// With this many gateways.
    pub fn gateways(self, gateways: usize) -> Self {
        Self { gateways, ..self }
    }

    /// With these sections of the configuration file (TOML), except `cluster`.
    pub fn config(self, sections: &str) -> Self {
        Self { config: sections.to_owned(), ..self }
    }

    /// With these arguments of `ringway worker` too.
    pub fn worker_arguments(self, arguments: &[&str]) -> Self {
        Self { worker_arguments: owned(arguments), ..self }
    }

    /// With these arguments of `ringway gateway` too.
    pub fn gateway_arguments(self, arguments: &[&str]) -> Self {
        Self { gateway_arguments: owned(arguments), ..self }
    }

    /// Starts all processes and waits until each is ready.
    pub async fn start(self) -> Cluster {
        let site = Arc::new(self.site());
        let mut starting = Vec::new();
        for number in 1..=self.workers {
            let arguments =
                [owned(&["worker", "--id", &format!("w{number}")]), self.worker_arguments.clone()];
            starting.push(Node::start(&site, Seat::here(), &arguments.concat()));
        }
        for number in 1..=self.gateways {
            let any_port = format!("{}:0", address::own_ip());
            let own =
                ["gateway", "--id", &format!("g{number}"), "--listen", &any_port, "--rpc-listen", &any_port];
            let arguments = [owned(&own), self.gateway_arguments.clone()].concat();
            starting.push(Node::start(&site, Seat::here(), &arguments));
        }
        for node in &mut starting {
            node.ready = node.process.ready().await;
        }
        let gateways = starting.split_off(self.workers);
        let cluster = Cluster { workers: starting, gateways, site };
        cluster.settle().await;
        cluster
    }

    fn site(&self) -> Site {
        let members: String = (1..=self.workers)
            .map(|number| format!("{{ id = \"w{number}\", rpc_url = \"http://{}\" }},\n", address::reserve()))
            .collect();
        Site::new(&format!("members = [\n{members}]\n\n{}", self.config))
    }
}

impl Site {
    /// With a configuration that begins within the section `cluster`, after its secret.
    pub(crate) fn new(config: &str) -> Self {
        raise_file_limit();
        let secret = ClusterSecret::generate();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let secret_file = directory.path().join("secret");
        let named = secret_file.display().to_string();
        let config = format!("[cluster]\nsecret_file = {named:?}\n{config}\n");
        std::fs::write(directory.path().join("ringway.toml"), config).expect("a temporary file");
        std::fs::write(&secret_file, secret.expose()).expect("a temporary file");
        Site { directory, secret }
    }
}

impl Node {
    /// Starts a process with the site's configuration. The arguments begin with its role, `--id` and its name.
    pub(crate) fn start(site: &Arc<Site>, seat: Seat, arguments: &[String]) -> Self {
        let name = arguments[2].clone();
        let config = site.directory.path().join("ringway.toml").display().to_string();
        let status = format!("{}:0", seat.ip);
        let own = owned(&["--config", &config, "--status-listen", &status]);
        let arguments = [arguments, &own].concat();
        let process = Process::spawn(&name, seat.command(&arguments, site.directory.path()));
        Self { process, ready: Value::Null, name, arguments, seat, site: Arc::clone(site) }
    }

    /// Kills the process (SIGKILL) and starts another one in its place.
    pub async fn restart(&mut self) {
        self.process.kill().await;
        self.start_again().await;
    }

    /// Starts another process in the place of one that has ended.
    pub async fn start_again(&mut self) {
        let command = self.seat.command(&self.arguments, self.site.directory.path());
        self.process = Process::spawn(&self.name, command);
        self.ready = self.process.ready().await;
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where clients connect.
    pub fn clients(&self) -> SocketAddr {
        self.told("client")
    }

    /// Where nodes and back ends connect.
    pub fn rpc(&self) -> SocketAddr {
        self.told("rpc")
    }

    /// The same as a URL.
    pub fn url(&self) -> NodeUrl {
        self.rpc().into()
    }

    /// Where the HTTP API is.
    pub fn api(&self) -> SocketAddr {
        self.told("api")
    }

    /// Where metrics are.
    pub fn status(&self) -> SocketAddr {
        self.told("status")
    }

    /// Its metrics now.
    pub async fn metrics(&self) -> Metrics {
        Metrics::of(self.status()).await
    }

    /// The members that it shows, each with its state: `w1 active`.
    pub async fn members(&self) -> Vec<String> {
        let (node, secret) = (self.url().to_string(), self.site.directory.path().join("secret"));
        let arguments =
            owned(&["members", "--json", "--node", &node, "--secret-file", &secret.display().to_string()]);
        let output = ringway(&arguments, self.site.directory.path()).output().await.expect("the binary runs");
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let member = |member: &Value| {
            let [id, state] = ["id", "state"].map(|key| member[key].as_str().expect("a text"));
            format!("{id} {state}")
        };
        told["members"].as_array().expect("a list").iter().map(member).collect()
    }

    /// Waits until it shows these members.
    pub async fn shows(&self, expected: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let members = self.members().await;
            if members == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{} shows {members:?}, not {expected:?}", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An address in the ready line, which tells URLs.
    fn told(&self, key: &str) -> SocketAddr {
        address_in(&self.ready, key)
            .unwrap_or_else(|| panic!("{} told no {key} address: {}", self.name, self.ready))
    }
}

/// The socket address of a URL that a ready line tells.
pub fn address_in(ready: &Value, key: &str) -> Option<SocketAddr> {
    let url = ready.get(key)?.as_str()?;
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next()?.parse().ok()
}

/// A command line of the binary, with nothing of ours in its environment and a home of its own.
pub fn ringway(arguments: &[String], home: &Path) -> Command {
    Seat::here().command(arguments, home)
}

impl Seat {
    /// A command line of the binary that runs here.
    fn command(&self, arguments: &[String], home: &Path) -> Command {
        let mut command = match &self.namespace {
            None => Command::new(required::binary()),
            Some(namespace) => {
                let mut command = Command::new("ip");
                // It becomes the program, so the process is the same.
                command.args(["netns", "exec", namespace]).arg(required::binary());
                command
            }
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RINGWAY_") {
                command.env_remove(&name);
            }
        }
        command.args(arguments).env("XDG_STATE_HOME", home).env("HOME", home);
        command
    }
}

pub(crate) fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
