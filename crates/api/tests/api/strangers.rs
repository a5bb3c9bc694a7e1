//! Connections of those who have shown no key: how soon they end, and that those of others do not.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use ringway_api::{Access, ApiConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::ResolvesServerCertUsingSni;

use crate::fake::FakeCluster;
use crate::house::within;
use crate::site::{Site, keys, once};

const KEY: &str = "the-key-of-the-shop";

/// Far below the idle time of a connection whose caller is known.
const SHORT: Duration = Duration::from_millis(100);

/// A request on a connection that stays open as far as the caller cares.
fn request(target: &str, header: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n")
}

async fn site(cluster: &FakeCluster, stranger_timeout: Duration, tls: Option<TlsAcceptor>) -> Site {
    let config = ApiConfig { stranger_timeout, ..ApiConfig::default() };
    let access = Access::Keys(keys(&format!("shop = {KEY}")));
    Site::start_with(config, once(&cluster.views, &cluster.pool()), access, tls).await
}

/// Sends this and says what came back until the connection was closed.
async fn told_until_closed(site: &Site, request: &str) -> String {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    within(stream.read_to_string(&mut told)).await.unwrap();
    told
}

#[tokio::test]
async fn whoever_is_not_let_in_finds_the_connection_closed() {
    let cluster = FakeCluster::start(1).await;
    let site = site(&cluster, Duration::from_secs(60), None).await;
    let began = Instant::now();
    for header in ["", "Authorization: Bearer the-key-of-nobody-here\r\n", "Connection: keep-alive\r\n"] {
        let told = told_until_closed(&site, &request("/v1/users/alice", header).repeat(2)).await;
        let answers = (told.matches("HTTP/1.1 401").count(), told.matches("connection: close").count());
        assert_eq!(answers, (1, 1), "{header:?} -> {told:?}");
    }
    let key_then_none = [
        request("/v1/users/alice", &format!("Authorization: Bearer {KEY}\r\n")),
        request("/v1/users/alice", "").repeat(2),
    ];
    let told = told_until_closed(&site, &key_then_none.concat()).await;
    let answers = (told.matches("HTTP/1.1 200").count(), told.matches("HTTP/1.1 401").count());
    assert_eq!(answers, (1, 1), "who was let in before is let in by no key again: {told:?}");
    assert!(began.elapsed() < Duration::from_secs(30), "closed at once, and not by a timeout");
}

#[tokio::test]
async fn a_stranger_does_not_stay_whatever_it_says() {
    let cluster = FakeCluster::start(1).await;
    let site = site(&cluster, SHORT, None).await;
    let cases = [
        (String::new(), 0),
        ("GET /v1/users/alice HTTP/1.1\r\nHo".to_owned(), 0),
        (request("/v1/openapi.json", ""), 1),
        (request("/v1/openapi.json", "").repeat(2), 2),
        (format!("{}GET ", request("/v1/openapi.json", "")), 1),
    ];
    let each = cases.iter().map(async |(request, answers)| {
        let told = told_until_closed(&site, request).await;
        assert_eq!(told.matches("HTTP/1.1 200").count(), *answers, "{request:?} -> {told:?}");
    });
    join_all(each).await;
}

#[tokio::test]
async fn a_handshake_of_tls_counts_towards_a_strangers_time() {
    let cluster = FakeCluster::start(1).await;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
    let site = site(&cluster, SHORT, Some(TlsAcceptor::from(Arc::new(config)))).await;
    assert_eq!(told_until_closed(&site, "").await, "");
}

#[tokio::test]
async fn who_has_been_let_in_stays() {
    let cluster = FakeCluster::start(1).await;
    let site = site(&cluster, SHORT, None).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let known = request("/v1/users/alice", &format!("Authorization: Bearer {KEY}\r\n"));
    for turn in 0..2 {
        stream.write_all(known.as_bytes()).await.unwrap();
        let mut part = [0; 4096];
        let bytes = within(stream.read(&mut part)).await.unwrap();
        assert!(part[..bytes].starts_with(b"HTTP/1.1 200"), "turn {turn}: {bytes} bytes");
        // Nothing is waited for: by then a stranger would have been closed.
        tokio::time::sleep(4 * SHORT).await;
    }
}
