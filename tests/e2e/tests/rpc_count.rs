//! What a message costs: one RPC to a user, whatever the number of workers.

use std::time::Instant;

use ringway_e2e::{Cluster, PATIENCE};
use ringway_sender::{Outcome, Sender};

const SERVED: &str = "ringway_rpc_server_calls_total";

/// How many calls the workers have answered: of one method, and of all.
async fn served(cluster: &Cluster, method: &str) -> (f64, f64) {
    let method = format!("method=\"ringway.v1.{method}\"");
    (cluster.over_workers(SERVED, &[&method]).await, cluster.over_workers(SERVED, &[]).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_to_a_user_is_exactly_one_rpc() {
    const SENDS: u32 = 200;
    for workers in [1, 16] {
        let cluster = Cluster::start(workers).await;
        let sender = cluster.sender().await;
        let _clients = cluster.connect(40).await;
        let (calls_before, before) = (sender.calls(), served(&cluster, "Delivery/SendToUser").await);
        for number in 0..SENDS {
            let receipt =
                sender.send_to_user(format!("user{}", number % 40), "hello").await.expect("it is taken");
            assert_eq!(receipt.outcome, Outcome::Delivered);
        }
        assert_eq!(
            sender.calls() - calls_before,
            u64::from(SENDS),
            "the sender's calls at {workers} workers"
        );
        let after = served(&cluster, "Delivery/SendToUser").await;
        assert_eq!(after.0 - before.0, f64::from(SENDS), "sends answered by {workers} workers");
        assert_eq!(after.1 - before.1, f64::from(SENDS), "calls of any kind between {workers} workers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_message_to_a_user_is_no_rpc_once_there_is_a_stream_to_each_worker() {
    for workers in [1, 16] {
        let cluster = Cluster::start(workers).await;
        let sender = cluster.sender().await;
        for round in 0..2 {
            let (calls_before, before) = (sender.calls(), served(&cluster, "Delivery/SendToUser").await);
            for number in 0..200 {
                let ticket = sender.send_to_user(format!("user{number}"), "hello").publish().await;
                let receipt = ticket.expect("it complies with the rules").await.expect("it is taken");
                assert_eq!(receipt.outcome, Outcome::NoSession);
            }
            let calls = sender.calls() - calls_before;
            assert!(calls <= if round == 0 { workers as u64 } else { 0 }, "{calls} calls, {workers} workers");
            let after = served(&cluster, "Delivery/SendToUser").await;
            assert_eq!(after.1 - before.1, 0.0, "calls of any kind that {workers} workers have answered");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_to_a_group_asks_only_workers_with_members() {
    let cluster = Cluster::start(8).await;
    let sender = cluster.sender().await;
    let mut clients = Vec::new();
    for number in 0..3 {
        clients.push(cluster.client(&format!("user{number}-room7")).await);
    }
    let view = sender.views().current();
    let owner = |key: &str| view.owner(key).map(|member| member.id.clone());
    let home = owner("room7");
    let mut holders: Vec<_> = (0..3).map(|number| owner(&format!("user{number}-room7"))).collect();
    holders.sort();
    holders.dedup();
    let asked = holders.iter().filter(|holder| **holder != home).count();

    until_reported(&cluster, &sender, asked as f64).await;
    let before = served(&cluster, "Peer/DeliverLocal").await;
    const SENDS: usize = 50;
    for _ in 0..SENDS {
        let receipt = sender.send_to_group("room7", "hello").await.expect("it is taken");
        assert_eq!(receipt.sessions, 3);
    }
    let after = served(&cluster, "Peer/DeliverLocal").await;
    assert_eq!(after.0 - before.0, (SENDS * asked) as f64, "home {home:?}, members at {holders:?}");
    assert_eq!(after.1 - before.1, (SENDS * (asked + 1)) as f64, "calls of any kind");
}

/// Waits until the group's home knows who has members: a worker that has not reported yet is asked to be sure.
async fn until_reported(cluster: &Cluster, sender: &Sender, asked: f64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = served(cluster, "Peer/DeliverLocal").await.0;
        sender.send_to_group("room7", "hello").await.expect("it is taken");
        let calls = served(cluster, "Peer/DeliverLocal").await.0 - before;
        if calls == asked {
            return;
        }
        assert!(Instant::now() < deadline, "{calls} workers are asked, not {asked}");
    }
}
