//! A cluster without a list: workers and a gateway find each other by gossip, as processes.

use ringway_e2e::{Client, Fleet, Node, PATIENCE};
use rustix::process::Signal;

/// Waits until each of these nodes shows these members.
async fn all_show(nodes: &[&Node], members: &[&str]) {
    for node in nodes {
        node.shows(members).await;
    }
}

#[tokio::test]
async fn workers_that_come_die_stop_and_leave_are_seen_by_all() {
    let settings = ["gossip.interval=50ms", "gossip.failure_timeout=1s", "worker.echo=true"];
    let mut fleet = Fleet::gossip(3, 1, &settings).await;
    let [w1, w2, w3] = &mut fleet.workers[..] else { panic!("there are three") };
    let gateway = &fleet.gateways[0];
    let all = ["w1 active", "w2 active", "w3 active"];
    all_show(&[w1, w2, w3, gateway], &all).await;
    let mut alice = Client::connect(gateway.clients(), "alice").await;
    alice.send("hello").await;
    assert_eq!(alice.text().await, "hello");

    w2.process.kill().await;
    all_show(&[w1, w3, gateway], &["w1 active", "w3 active"]).await;
    w2.start_again().await;
    gateway.shows(&all).await;

    w3.process.signal(Signal::STOP);
    gateway.shows(&["w1 active", "w2 active"]).await;
    w3.process.signal(Signal::CONT);
    all_show(&[w1, w2, w3, gateway], &all).await;

    w3.process.terminate();
    assert!(w3.process.exit(PATIENCE).await.success());
    w1.shows(&["w1 active", "w2 active"]).await;
}
