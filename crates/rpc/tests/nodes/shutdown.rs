//! How a node ends.

use std::time::Duration;

use ringway_proto::{Reason, Refusal};
use ringway_rpc::ServerConfig;
use tokio::time::Instant;

use crate::fake::{FakeNode, soon, to_user};
use crate::publisher::enter;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn calls_under_way_may_finish_and_new_ones_are_refused() {
    let node = FakeNode::start_with(ServerConfig { shutdown_timeout: LONG, ..ServerConfig::default() }).await;
    node.health.set_serving();
    let (slow, late) = (node.channel(), node.channel());
    let call = tokio::spawn(async move { slow.delivery().send_to_user(to_user("slow", "m0")).await });
    soon("the slow call", node.entered.notified()).await;
    node.shutdown.cancel();
    let refused = async {
        // The listener closes a moment after the token.
        loop {
            match late.delivery().send_to_user(to_user("alice", "m1")).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(status) => return Refusal::from_status(&status).reason,
            }
        }
    };
    let reason = soon("a refusal", refused).await;
    assert!(matches!(reason, Reason::Unreachable | Reason::ConnectionLost), "{reason:?}");
    assert!(!node.health.is_serving());
    node.release.notify_one();
    soon("the slow call", call).await.unwrap().unwrap();
    node.ended().await;
}

#[tokio::test]
async fn a_stream_without_an_end_does_not_hold_the_node_beyond_the_deadline() {
    let timeout = Duration::from_millis(100);
    let config = ServerConfig { shutdown_timeout: timeout, ..ServerConfig::default() };
    let mut node = FakeNode::start_with(config).await;
    let publisher = ringway_rpc::Publisher::new(node.channel(), ringway_rpc::PublisherConfig::default());
    let ticket = enter(&publisher, "m0").await;
    let mut stream = node.opened().await;
    stream.next().await;

    let started = Instant::now();
    node.shutdown.cancel();
    node.ended().await;
    assert!(started.elapsed() >= timeout, "the stream had its time");
    let refusal = soon("an answer", ticket).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::ConnectionLost);
    let gone = soon("the node's side of the stream", stream.requests.message()).await;
    assert!(gone.is_err() || gone.is_ok_and(|request| request.is_none()));
}

#[tokio::test]
async fn dropping_the_server_drops_its_connections() {
    let mut node = FakeNode::start().await;
    let publisher = ringway_rpc::Publisher::new(node.channel(), ringway_rpc::PublisherConfig::default());
    let ticket = enter(&publisher, "m0").await;
    let mut stream = node.opened().await;
    stream.next().await;
    node.crash().await;
    assert_eq!(soon("an answer", ticket).await.unwrap_err().reason, Reason::ConnectionLost);
}
