//! Clusters whose members are in etcd or in Nacos, as processes.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use ringway_e2e::cluster::{address_in, ringway};
use ringway_e2e::server::{Kind, Server};
use ringway_e2e::{Client, PATIENCE, Process, address};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

const SECRET: &str = "a-secret-of-sufficient-length";

/// A worker or a gateway, and where it is.
struct Node {
    process: Process,
    ready: Value,
    home: TempDir,
}

impl Node {
    async fn start(line: &str, server: &Server) -> Self {
        let line = format!("{line} --rpc-listen {}:0 {}", address::own_ip(), server.settings());
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut process = Process::spawn(&line, command(&line, home.path()));
        let ready = process.ready().await;
        Self { process, ready, home }
    }

    async fn worker(id: &str, server: &Server) -> Self {
        Self::start(&format!("worker --id {id} --echo"), server).await
    }

    fn told(&self, key: &str) -> SocketAddr {
        address_in(&self.ready, key).expect("an address in the ready line")
    }

    /// Waits until it shows these members, each with its state.
    async fn shows(&self, expected: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        let mut look = tokio::time::interval(Duration::from_millis(50));
        loop {
            let members = self.members().await;
            if members == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{} shows {members:?}, not {expected:?}", self.process.name());
            look.tick().await;
        }
    }

    async fn members(&self) -> Vec<String> {
        let line = format!("members --json --node http://{}", self.told("rpc"));
        let output = command(&line, self.home.path()).output().await.expect("the binary runs");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let member = |member: &Value| {
            let [id, state] = ["id", "state"].map(|key| member[key].as_str().expect("a text"));
            format!("{id} {state}")
        };
        told["members"].as_array().expect("a list").iter().map(member).collect()
    }
}

fn command(line: &str, home: &Path) -> Command {
    let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    let mut command = ringway(&arguments, home);
    command.env("RINGWAY_CLUSTER_SECRET", SECRET);
    command
}

/// Workers come, die and leave; the server is killed, and the ring stays until it is back.
async fn a_cluster_lives(kind: Kind) {
    let Some(mut server) = Server::start(kind).await else { return };
    let mut first = Node::worker("w1", &server).await;
    let mut second = Node::worker("w2", &server).await;
    let gateway = Node::start("gateway --id g1 --listen 127.0.0.1:0", &server).await;
    let both = ["w1 active", "w2 active"];
    for node in [&first, &second, &gateway] {
        node.shows(&both).await;
    }
    second.process.kill().await;
    gateway.shows(&["w1 active"]).await;
    let mut second = Node::worker("w2", &server).await;
    gateway.shows(&both).await;

    server.stop().await;
    let mut alice = Client::connect(gateway.told("client"), "alice").await;
    alice.send("hello").await;
    assert_eq!(alice.text().await, "hello");
    for node in [&mut first, &mut second] {
        for warning in ["the registry cannot be seen", "the member's lease cannot be renewed"] {
            node.process.error_line(warning, |line| line.contains(warning)).await;
        }
        assert_eq!(node.members().await, both);
    }
    assert_eq!(gateway.members().await, both);
    server.start_again().await;
    for node in [&mut first, &mut second] {
        let again = |line: &str| line.contains("the member's lease is renewed again");
        node.process.error_line("the lease's renewal", again).await;
    }
    gateway.shows(&both).await;
    alice.send("hello again").await;
    assert_eq!(alice.text().await, "hello again");

    second.process.terminate();
    assert!(second.process.exit(PATIENCE).await.success());
    gateway.shows(&["w1 active"]).await;
    first.process.assert_sound();
}

#[tokio::test]
async fn workers_and_gateways_find_each_other_in_etcd() {
    a_cluster_lives(Kind::Etcd).await;
}

#[tokio::test]
async fn workers_and_gateways_find_each_other_in_nacos() {
    a_cluster_lives(Kind::Nacos).await;
}
