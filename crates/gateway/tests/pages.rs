//! Pages beside the clients' sockets: they are at their own paths, and nowhere else.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use ringway_gateway::Pages;
use support::{Bench, upgrade};

/// Says how it was asked.
struct Mirror;

#[async_trait]
impl Pages for Mirror {
    fn has(&self, path: &str) -> bool {
        path.starts_with("/pages/") || path == "/metrics"
    }

    fn reads_body(&self, head: &Parts) -> bool {
        head.method == Method::POST
    }

    async fn answer(&self, request: Request<Bytes>, _: SocketAddr) -> Response<Bytes> {
        let body = String::from_utf8_lossy(request.body());
        Response::new(format!("{} {} {body}", request.method(), request.uri()).into())
    }
}

async fn bench() -> Bench {
    Bench::with(|setup| setup.pages = Some(Arc::new(Mirror))).await
}

fn request(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn requests_for_pages_are_theirs_with_their_bodies() {
    let bench = bench().await;
    for (method, path, body) in [
        ("GET", "/pages/a?b=c", ""),
        ("POST", "/pages/api", "{\"x\":1}"),
        // Sockets are opened at such a path, too, but not by this request.
        ("GET", "/pages/users/ws", ""),
    ] {
        let answer = bench.ask(&request(method, path, body)).await;
        assert_eq!((answer.status, answer.body), (200, format!("{method} {path} {body}")));
    }
    let largest = "x".repeat(64 * 1024);
    assert_eq!(bench.ask(&request("POST", "/pages/api", &largest)).await.status, 200);
    let answer = bench.ask(&request("POST", "/pages/api", &(largest + "x"))).await;
    assert_eq!((answer.status, answer.reason().as_str()), (413, "body_unreadable"));
    let unread = bench.ask(&request("PUT", "/pages/api", "unread")).await;
    assert_eq!((unread.status, unread.body), (200, "PUT /pages/api ".to_owned()));
    bench.end().await;
}

#[tokio::test]
async fn all_other_paths_are_as_they_were() {
    let bench = bench().await;
    for (path, status, reason) in [
        ("/pages", 404, "path_unknown"),
        ("/pages/ws", 401, "token_missing"),
        ("/metrics", 404, "metrics_elsewhere"),
    ] {
        let answer = bench.ask(&upgrade(path, "")).await;
        assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{path}");
    }
    drop(bench.client("alice").await);
    bench.end().await;
}
