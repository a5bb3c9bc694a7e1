//! A cluster without a list: workers and a gateway find each other by gossip, as processes.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use ringway_e2e::cluster::{address_in, ringway};
use ringway_e2e::{Client, PATIENCE, Process, address};
use rustix::process::{Pid, Signal, kill_process};
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
    async fn start(line: &str, seed: Option<&Self>) -> Self {
        // Any port, for gRPC and gossip alike; the first node finds nobody at its seed.
        let seed = seed.map_or("127.0.0.1:1".to_owned(), |node| node.told("rpc").to_string());
        let line = format!(
            "{line} --rpc-listen {}:0 --join {seed} --set gossip.interval=50ms --set gossip.failure_timeout=1s",
            address::own_ip(),
        );
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut process = Process::spawn(&line, command(&line, home.path()));
        let ready = process.ready().await;
        Self { process, ready, home }
    }

    async fn worker(id: &str, seed: Option<&Self>) -> Self {
        Self::start(&format!("worker --id {id} --echo"), seed).await
    }

    fn told(&self, key: &str) -> SocketAddr {
        address_in(&self.ready, key).expect("an address in the ready line")
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("it runs");
    }

    /// The members that it shows: `w1 active`.
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

    /// Waits until it shows these members.
    async fn shows(&self, expected: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let members = self.members().await;
            if members == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{} shows {members:?}, not {expected:?}", self.process.name());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn command(line: &str, home: &Path) -> Command {
    let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    let mut command = ringway(&arguments, home);
    command.env("RINGWAY_CLUSTER_SECRET", SECRET);
    command
}

#[tokio::test]
async fn workers_that_come_die_stop_and_leave_are_seen_by_all() {
    let first = Node::worker("w1", None).await;
    let mut second = Node::worker("w2", Some(&first)).await;
    let mut third = Node::worker("w3", Some(&first)).await;
    let gateway = Node::start("gateway --id g1 --listen 127.0.0.1:0", Some(&first)).await;
    let all = ["w1 active", "w2 active", "w3 active"];
    for node in [&first, &second, &third, &gateway] {
        node.shows(&all).await;
    }
    let mut alice = Client::connect(gateway.told("client"), "alice").await;
    alice.send("hello").await;
    assert_eq!(alice.text().await, "hello");

    second.process.kill().await;
    for node in [&first, &third, &gateway] {
        node.shows(&["w1 active", "w3 active"]).await;
    }
    let second = Node::worker("w2", Some(&first)).await;
    gateway.shows(&all).await;

    third.signal(Signal::STOP);
    gateway.shows(&["w1 active", "w2 active"]).await;
    third.signal(Signal::CONT);
    for node in [&first, &second, &third, &gateway] {
        node.shows(&all).await;
    }

    third.process.terminate();
    assert!(third.process.exit(PATIENCE).await.success());
    first.shows(&["w1 active", "w2 active"]).await;
}
