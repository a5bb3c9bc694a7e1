//! How long a connection without the cluster secret lasts, and what it gets.

use std::time::Duration;

use bytes::Bytes;
use ringway_rpc::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::fake::{FakeNode, soon, to_user};

/// RFC 9113 section 3.4: the client's preface, and the SETTINGS frame (here empty) that follows it.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// RFC 9113 section 6.7: eight bytes that the peer must send back.
const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

/// A node with one slot, whose HTTP/2 pings play no part here.
async fn node(preface_timeout: Duration, authenticate_timeout: Duration) -> FakeNode {
    FakeNode::start_with(ServerConfig {
        connections_max: 1,
        preface_timeout,
        authenticate_timeout,
        keepalive_interval: Duration::from_secs(300),
        ..ServerConfig::default()
    })
    .await
}

async fn one_more_comes_in(node: &FakeNode) {
    let channel = node.channel();
    let call = async move { channel.delivery().send_to_user(to_user("alice", "m0")).await };
    soon("a call through the one slot", call).await.unwrap();
}

#[tokio::test]
async fn who_does_not_show_the_secret_gives_the_slot_back() {
    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(300);
    let spoken = [PREFACE.as_slice(), SETTINGS.as_slice()].concat();
    let cases = [
        (0, SHORT, LONG),
        (1, SHORT, LONG),
        (PREFACE.len() - 1, SHORT, LONG),
        (PREFACE.len(), LONG, SHORT),
        (PREFACE.len() + SETTINGS.len(), LONG, SHORT),
    ];
    for (bytes, preface_timeout, authenticate_timeout) in cases {
        let node = node(preface_timeout, authenticate_timeout).await;
        let mut stranger = TcpStream::connect(node.url.authority()).await.unwrap();
        stranger.write_all(&spoken[..bytes]).await.unwrap();
        // What the node says is read over; the end counts, orderly or not.
        let _ = soon("the stranger's end", stranger.read_to_end(&mut Vec::new())).await;
        one_more_comes_in(&node).await;
    }
}

#[tokio::test]
async fn health_checks_alone_do_not_keep_a_connection() {
    let node = node(Duration::from_secs(300), Duration::from_millis(50)).await;
    let socket = TcpStream::connect(node.url.authority()).await.unwrap();
    let (mut calls, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let checks = async {
        let mut answered = 0;
        while check(&mut calls).await.is_ok() {
            answered += 1;
        }
        answered
    };
    assert!(soon("the end of the checks", checks).await > 0);
    // How it ended does not matter.
    let _ = soon("the connection's end", connection).await;
    one_more_comes_in(&node).await;
}

/// One `Health.Check` of the node as a whole: an empty message.
async fn check(calls: &mut h2::client::SendRequest<Bytes>) -> Result<(), h2::Error> {
    std::future::poll_fn(|cx| calls.poll_ready(cx)).await?;
    let request = http::Request::post("http://node/grpc.health.v1.Health/Check")
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let (answer, mut body) = calls.send_request(request, false)?;
    body.send_data(Bytes::from_static(&[0; 5]), true)?;
    assert_eq!(answer.await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn who_never_reads_gives_the_slot_back_too() {
    let node = node(Duration::from_secs(300), Duration::from_millis(500)).await;
    let mut stranger = TcpStream::connect(node.url.authority()).await.unwrap();
    let flood = async {
        let spoken = [PREFACE.as_slice(), SETTINGS.as_slice()].concat();
        stranger.write_all(&spoken).await?;
        let pings = PING.repeat(1000);
        loop {
            stranger.write_all(&pings).await?;
        }
    };
    let ended: std::io::Result<()> = soon("the stranger's end", flood).await;
    assert!(ended.is_err());
    one_more_comes_in(&node).await;
}

#[tokio::test]
async fn who_has_shown_the_secret_stays() {
    let timeout = Duration::from_millis(300);
    let node = node(timeout, timeout).await;
    let channel = node.channel();
    let slow = tokio::spawn(async move { channel.delivery().send_to_user(to_user("slow", "m0")).await });
    soon("the slow call", node.entered.notified()).await;
    tokio::time::sleep(timeout * 2).await;
    node.release.notify_one();
    soon("the slow call's answer", slow).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stranger_may_check_the_health_but_not_watch_it() {
    let node = FakeNode::start().await;
    let stranger = Endpoint::from_shared(node.url.to_string()).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(stranger);
    client.check(HealthCheckRequest::default()).await.unwrap();
    let status = client.watch(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}
