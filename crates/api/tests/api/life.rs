//! The bounds of the listener, and its end.

use std::time::Duration;

use ringway_api::{Access, ApiConfig};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::caller::{Call, read};
use crate::fake::{FakeCluster, Take};
use crate::house::within;
use crate::site::{Site, once};

const MESSAGE: &str = r#"{"text":"hi"}"#;

#[tokio::test]
async fn requests_beyond_the_bound_are_told_to_come_again() {
    let cluster = FakeCluster::start(1).await;
    let script = &cluster.workers[0].script;
    let config = ApiConfig { requests_max: 1, ..ApiConfig::default() };
    let site = Site::start(config, once(&cluster.views, &cluster.pool()), Access::Loopback).await;
    script.then(Take::Hold);
    let first = tokio::spawn(async move { Call::post("/v1/messages", MESSAGE).to(site.address).await });
    script.saw(1).await;
    for call in [
        Call::post("/v1/users/alice/messages", MESSAGE),
        Call::post("/v1/groups/room/messages", MESSAGE),
        Call::get("/v1/users/alice"),
        Call::new("DELETE", &format!("/v1/sessions/{}", "0".repeat(32))),
    ] {
        let answer = call.to(site.address).await;
        let told = (answer.status, answer.reason(), answer.header("retry-after"));
        assert_eq!(told, (429, "OVERLOADED".to_owned(), Some("1")));
    }
    script.release.notify_one();
    assert_eq!(within(first).await.unwrap().status, 200);
    assert_eq!(Call::post("/v1/messages", MESSAGE).to(site.address).await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let cluster = FakeCluster::start(1).await;
    let config = ApiConfig { connections_max: 1, ..ApiConfig::default() };
    let site = Site::start(config, once(&cluster.views, &cluster.pool()), Access::Loopback).await;
    let idle = TcpStream::connect(site.address).await.unwrap();
    let waiting = tokio::spawn(async move { Call::post("/v1/messages", MESSAGE).to(site.address).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    drop(idle);
    assert_eq!(within(waiting).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_under_way_at_the_end_is_answered_and_nothing_else_is_taken() {
    let cluster = FakeCluster::start(1).await;
    let script = &cluster.workers[0].script;
    let sender = once(&cluster.views, &cluster.pool());
    let site = Site::start(ApiConfig::default(), sender, Access::Loopback).await;
    let mut idle = TcpStream::connect(site.address).await.unwrap();
    script.then(Take::Hold);
    let mut busy = TcpStream::connect(site.address).await.unwrap();
    let request = Call::post("/v1/messages", MESSAGE).bytes(site.address);
    busy.write_all(String::from_utf8(request).unwrap().replace("Connection: close\r\n", "").as_bytes())
        .await
        .unwrap();
    script.saw(1).await;
    site.stop.cancel();
    // The idle one is closed without a word.
    let mut nothing = Vec::new();
    within(tokio::io::AsyncReadExt::read_to_end(&mut idle, &mut nothing)).await.unwrap();
    assert!(nothing.is_empty());
    assert!(TcpStream::connect(site.address).await.is_err());
    script.release.notify_one();
    let answer = within(read(&mut busy)).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    within(site.task).await.unwrap();
}

#[tokio::test]
async fn what_takes_too_long_at_the_end_is_cut() {
    let cluster = FakeCluster::start(1).await;
    let script = &cluster.workers[0].script;
    let config = ApiConfig { shutdown_timeout: Duration::from_millis(20), ..ApiConfig::default() };
    let site = Site::start(config, once(&cluster.views, &cluster.pool()), Access::Loopback).await;
    script.then(Take::Hang);
    let mut busy = TcpStream::connect(site.address).await.unwrap();
    busy.write_all(&Call::post("/v1/messages", MESSAGE).bytes(site.address)).await.unwrap();
    script.saw(1).await;
    site.stop.cancel();
    within(site.task).await.unwrap();
    let mut rest = Vec::new();
    // A reset, or an end: no answer in any case.
    within(tokio::io::AsyncReadExt::read_to_end(&mut busy, &mut rest)).await.ok();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_and_so_is_an_old_one() {
    let cluster = FakeCluster::start(1).await;
    let start =
        async |config| Site::start(config, once(&cluster.views, &cluster.pool()), Access::Loopback).await;
    let short = Duration::from_millis(50);
    let impatient = start(ApiConfig { head_timeout: short, ..ApiConfig::default() }).await;
    let short_lived = start(ApiConfig { lifetime_max: short, ..ApiConfig::default() }).await;
    for (site, request, answers) in [
        (&impatient, "", 0),
        (&impatient, "GET /v1/users/alice HTTP/1.1\r\nHo", 0),
        (&impatient, "GET /v1/users/alice HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
        (&short_lived, "", 0),
        (&short_lived, "GET /v1/users/alice HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
    ] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut told = String::new();
        within(tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut told)).await.unwrap();
        assert_eq!(told.matches("HTTP/1.1 200").count(), answers, "{request:?} -> {told:?}");
    }
}

/// A client that goes on after a refusal finds its connection open, and the refusal is not lost to a reset.
#[tokio::test]
async fn a_body_that_nobody_wants_is_passed_over() {
    let cluster = FakeCluster::start(1).await;
    let sender = once(&cluster.views, &cluster.pool());
    let site = Site::start(ApiConfig::default(), sender, Access::Loopback).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let head = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        stream.write_all(&[b'x'; 10_000]).await.unwrap();
    }
    stream.write_all(&Call::get("/v1/users/alice").bytes(site.address)).await.unwrap();
    let both = within(read(&mut stream)).await;
    assert_eq!((both.status, both.body.matches("HTTP/1.1 200 OK").count()), (415, 1), "{both:?}");
}
