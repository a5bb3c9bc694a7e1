//! The ports of nodes let in only those who hold the cluster's secret.

use ringway_e2e::Cluster;
use ringway_proto::v1;
use ringway_rpc::{ClusterSecret, NodeChannel, NodePool, PoolConfig};
use tonic::{Code, Request, Status};

/// Calls every service of a node and says what came of each.
async fn call_all(channel: &NodeChannel) -> Vec<(&'static str, Result<(), Status>)> {
    let send = v1::SendToAllRequest { message: Some(v1::Message::default()), routing: None };
    let hello = v1::Hello { gateway_id: "stranger".to_owned(), protocol: 1 };
    let frame = v1::GatewayFrame { frame: Some(v1::gateway_frame::Frame::Hello(hello)) };
    let frames = tokio_stream::iter([v1::GatewayFrames { frames: vec![frame] }]);
    vec![
        ("Delivery", channel.delivery().send_to_all(send).await.map(drop)),
        ("Ring", channel.ring().get(v1::GetRingRequest::default()).await.map(drop)),
        ("Sessions", channel.sessions().list(v1::ListSessionsRequest::default()).await.map(drop)),
        ("Link", channel.link().attach(Request::new(frames)).await.map(drop)),
        ("Peer", channel.peer().deliver_local(v1::DeliverLocalRequest::default()).await.map(drop)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_by_every_service_of_every_node() {
    let mut cluster = Cluster::start(1).await;
    let mut alice = cluster.client("alice").await;
    let stranger = NodePool::new(ClusterSecret::generate(), PoolConfig::default());
    for node in cluster.nodes() {
        for (service, result) in call_all(&stranger.node(&node.url())).await {
            let status = result.err().unwrap_or_else(|| panic!("{service} let a stranger in"));
            assert_eq!(status.code(), Code::Unauthenticated, "{service}: {status:?}");
        }
    }
    let silent = alice.receive_within(std::time::Duration::from_millis(200)).await;
    assert!(silent.is_none(), "a stranger's message was delivered: {silent:?}");
    cluster.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn those_with_the_secret_are_let_in() {
    let cluster = Cluster::start(1).await;
    let channel = cluster.pool().node(&cluster.workers[0].url());
    for (service, result) in call_all(&channel).await {
        let refused = result.err().filter(|status| status.code() == Code::Unauthenticated);
        assert!(refused.is_none(), "{service}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_tells_the_secret() {
    let mut cluster = Cluster::builder().worker_arguments(&["--log", "debug"]).start().await;
    let secret = cluster.secret().expose().to_owned();
    let mut alice = cluster.client("alice-token-that-nobody-logs").await;
    cluster
        .sender()
        .await
        .send_to_user("alice-token-that-nobody-logs", "private words")
        .await
        .expect("it is taken");
    assert_eq!(alice.text().await, "private words");
    for node in cluster.nodes() {
        let metrics = ringway_e2e::http::get(node.status(), "/metrics").await.body;
        for (place, text) in
            [("logs", node.process.stderr()), ("ready line", node.ready.to_string()), ("metrics", metrics)]
        {
            assert!(!text.contains(&secret), "the secret is in the {place} of {}", node.process.name());
            assert!(
                !text.contains("private words"),
                "a payload is in the {place} of {}",
                node.process.name()
            );
        }
    }
}
