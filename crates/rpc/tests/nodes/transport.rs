//! What a caller reads when the transport fails.

use std::time::Duration;

use futures_util::future::join_all;
use ringway_proto::{Reason, Refusal};
use ringway_rpc::{ClusterSecret, NodePool, NodeUrl, PoolConfig};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::fake::{FakeNode, soon, to_user};

#[tokio::test]
async fn a_node_that_is_not_there_is_unreachable_and_is_named() {
    let node = FakeNode::start().await;
    let channel = node.channel();
    let url = node.url.clone();
    node.crash().await;
    for _ in 0..3 {
        let call = channel.delivery().send_to_user(to_user("alice", "m0")).await;
        let refusal = Refusal::from_status(&call.unwrap_err());
        assert_eq!(refusal.reason, Reason::Unreachable);
        assert!(refusal.message.contains(url.as_str()), "{refusal}");
        assert!(refusal.message.to_lowercase().contains("refused"), "{refusal}");
    }
}

#[tokio::test]
async fn a_call_whose_connection_breaks_is_lost_and_the_next_one_connects_again() {
    let node = FakeNode::start().await;
    let channel = node.channel();
    let caller = channel.clone();
    let call = tokio::spawn(async move { caller.delivery().send_to_user(to_user("slow", "m0")).await });
    soon("the call", node.entered.notified()).await;
    let address = node.url.authority().to_owned();
    node.crash().await;
    let status = soon("the answer", call).await.unwrap().unwrap_err();
    assert_eq!(Refusal::from_status(&status).reason, Reason::ConnectionLost, "{status:?}");

    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    let _node = FakeNode::start_on(socket.listen(16).unwrap(), ringway_rpc::ServerConfig::default());
    let connected = async {
        while channel.delivery().send_to_user(to_user("alice", "m1")).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("a connection", connected).await;
}

#[tokio::test]
async fn calls_to_a_host_that_does_not_answer_fail_together_not_one_after_the_other() {
    // A listener whose backlog is full drops further connections silently, as a host that is down would.
    let listener = tokio::net::TcpSocket::new_v4().unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener: TcpListener = listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut backlog = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        backlog.push(stream);
    }
    let connect_timeout = Duration::from_millis(300);
    let config =
        PoolConfig { connect_timeout, reconnect_delay: Duration::from_secs(5), ..PoolConfig::default() };
    let pool = NodePool::new(ClusterSecret::generate(), config);
    let channel = pool.node(&NodeUrl::from(address));

    let started = Instant::now();
    let calls = (0..20).map(|_| {
        let channel = channel.clone();
        async move { channel.delivery().send_to_user(to_user("alice", "m0")).await }
    });
    for answer in soon("all answers", join_all(calls)).await {
        let refusal = Refusal::from_status(&answer.unwrap_err());
        assert_eq!(refusal.reason, Reason::Unreachable);
        assert!(refusal.message.contains("no connection within 300 ms"), "{refusal}");
    }
    assert!(started.elapsed() < connect_timeout * 4, "{:?}", started.elapsed());
}
