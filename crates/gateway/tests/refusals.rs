//! Every answer that is no socket, as a client sees it; and that none of them reaches a worker unless it must.

mod support;

use std::sync::Arc;
use std::time::Duration;

use ringway_auth::jwt::Secret;
use ringway_auth::{AllowedOrigins, Jwt, JwtConfig, KeySource, OriginConfig, TokenExtractor, TokenSource};
use ringway_gateway::Routing;
use ringway_proto::v1::RefusalReason;
use ringway_proto::v1::gateway_frame::Frame as Said;
use ringway_ring::MemberId;
use support::{Answering, Bench, read_head, soon, upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Asks, and compares status and reason.
async fn check(bench: &Bench, request: &str, status: u16, reason: &str) -> support::Answer {
    let answer = bench.ask(request).await;
    assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{request}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer
}

fn heard_opens(bench: &Bench) -> usize {
    bench.worker.heard().iter().filter(|said| matches!(said, Said::Open(_))).count()
}

#[tokio::test]
async fn heads_that_are_no_handshake() {
    let bench = Bench::start().await;
    let ws = "/ws?token=alice";
    let without = |line: &str| upgrade(ws, "").replace(line, "");
    let with = |from: &str, to: &str| upgrade(ws, "").replace(from, to);
    for (request, status, reason, header) in [
        (upgrade("/nowhere?token=alice", ""), 404, "path_unknown", None),
        (with("GET", "POST"), 405, "method_not_allowed", Some(("allow", "GET"))),
        (with("GET", "OPTIONS"), 405, "method_not_allowed", Some(("allow", "GET"))),
        (with("HTTP/1.1", "HTTP/1.0"), 426, "http_too_old", Some(("sec-websocket-version", "13"))),
        (without("host: test\r\n"), 400, "host_invalid", None),
        (without("upgrade: websocket\r\n"), 426, "upgrade_required", Some(("upgrade", "websocket"))),
        (without("connection: Upgrade\r\n"), 400, "connection_not_upgrade", None),
        (
            with("version: 13", "version: 8"),
            426,
            "version_not_supported",
            Some(("sec-websocket-version", "13")),
        ),
        (without("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400, "key_invalid", None),
        (upgrade(ws, "content-length: 3\r\n") + "abc", 400, "body_not_allowed", None),
        (upgrade(ws, &format!("x: {}\r\n", "y".repeat(17_000))), 431, "head_too_large", None),
        (upgrade(&format!("{ws}&x={}", "y".repeat(17_000)), ""), 431, "head_too_large", None),
    ] {
        let answer = check(&bench, &request, status, reason).await;
        if let Some((name, value)) = header {
            assert_eq!(answer.header(name), Some(value), "{reason}");
        }
    }
    assert_eq!(heard_opens(&bench), 0);
    bench.end().await;
}

#[tokio::test]
async fn tokens_that_are_missing_or_cannot_be() {
    let bench = Bench::start().await;
    for (target, more, status, reason) in [
        ("/ws", "", 401, "token_missing"),
        ("/ws?token=", "", 401, "token_blank"),
        ("/ws?token=%20%09", "", 401, "token_blank"),
        ("/ws", "authorization: Bearer \r\n", 401, "token_blank"),
        ("/ws", "authorization: Basic YTpi\r\n", 401, "token_missing"),
        ("/ws?token=%ff", "", 400, "token_not_utf8"),
        ("/ws?token=a%00b", "", 400, "token_control_character"),
        (&format!("/ws?token={}", "a".repeat(256)), "", 400, "user_invalid"),
        (&format!("/ws?token={}", "a".repeat(9000)), "", 431, "token_too_long"),
        ("/ws", "sec-websocket-protocol: token.alice\r\n", 400, "subprotocol_missing"),
        ("/ws?token=alice", "sec-websocket-protocol: token.alice\r\n", 400, "subprotocol_missing"),
    ] {
        let answer = check(&bench, &upgrade(target, more), status, reason).await;
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{reason}");
    }
    assert_eq!(heard_opens(&bench), 0, "no worker has heard of any of them");
    bench.end().await;
}

#[tokio::test]
async fn subprotocols_without_end() {
    let bench = Bench::start().await;
    let offer = |list: &[String]| format!("sec-websocket-protocol: {}\r\n", list.join(", "));
    let names = |count: usize, bytes: usize| vec!["x".repeat(bytes); count];
    let token = ["token.alice".to_owned()];
    for list in [names(17, 1), names(1, 1025), names(3, 400)] {
        check(&bench, &upgrade("/ws?token=alice", &offer(&list)), 400, "subprotocols_too_many").await;
        let with_token = [&token[..], &list].concat();
        check(&bench, &upgrade("/ws", &offer(&with_token)), 400, "subprotocols_too_many").await;
    }
    assert_eq!(heard_opens(&bench), 0, "no worker has heard of any of them");
    let long_token = [format!("token.{}", "a".repeat(200))];
    for list in [names(16, 64), names(1, 1024)] {
        let mut stream = bench.tcp().await;
        let with_token = [&long_token[..], &list].concat();
        stream.write_all(upgrade("/ws", &offer(&with_token)).as_bytes()).await.expect("sent");
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "the token does not count: {head}");
    }
    bench.end().await;
}

#[tokio::test]
async fn tokens_that_prove_nothing() {
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    let jwt = Jwt::new(JwtConfig::new(KeySource::Secret(secret.expect("long enough"))));
    let bench = Bench::with(|setup| setup.authenticator = Arc::new(jwt.expect("a key"))).await;
    let answer = check(&bench, &upgrade("/ws?token=alice", ""), 401, "token_malformed").await;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    assert!(!answer.body.contains("alice"), "the token is not repeated");
    assert_eq!(heard_opens(&bench), 0);
    bench.end().await;
}

#[tokio::test]
async fn every_place_of_a_token_is_looked_at() {
    let mut sources = TokenSource::defaults();
    sources.push(TokenSource::Cookie { name: "session".into() });
    let tokens = TokenExtractor::new(sources, 1000).expect("sources");
    let bench = Bench::with(|setup| setup.tokens = tokens).await;
    for (target, more, user) in [
        ("/ws?token=%E5%BC%A0+1", "", "张 1"),
        ("/ws", "authorization: Bearer bob\r\n", "bob"),
        ("/ws", "sec-websocket-protocol: token.carol, chat\r\n", "carol"),
        ("/ws", "cookie: a=b; session=dave\r\n", "dave"),
    ] {
        let mut stream = bench.tcp().await;
        stream.write_all(upgrade(target, more).as_bytes()).await.expect("sent");
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "), "{user}");
        bench.worker.hears_open(user).await;
    }
    bench.end().await;
}

#[tokio::test]
async fn origins_that_may_not_connect() {
    let allowed = AllowedOrigins::List(vec!["https://app.example.com".into()]);
    let origins = OriginConfig { allowed, allow_missing: false };
    let bench = Bench::with(|setup| setup.origins = origins).await;
    for (more, reason) in [
        ("", "origin_missing"),
        ("origin: https://evil.example.com\r\n", "origin_not_allowed"),
        ("origin: nonsense\r\n", "origin_malformed"),
    ] {
        // Without a token: who may not connect is not even asked for one.
        check(&bench, &upgrade("/ws", more), 403, reason).await;
    }
    let mut stream = bench.tcp().await;
    let request = upgrade("/ws?token=alice", "origin: https://app.example.com\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    bench.end().await;
}

#[tokio::test]
async fn refusals_of_the_worker() {
    for (refusal, status, reason) in [
        (RefusalReason::Full, 503, "worker_full"),
        (RefusalReason::TooManySessions, 429, "sessions_too_many"),
        (RefusalReason::TooManyGroups, 400, "groups_too_many"),
        (RefusalReason::Invalid, 500, "internal"),
        (RefusalReason::Outdated, 409, "session_closed"),
        (RefusalReason::NotOwner, 503, "worker_unavailable"),
        (RefusalReason::Draining, 503, "worker_unavailable"),
    ] {
        let bench = Bench::with(|setup| setup.config.http.open_deadline = Duration::from_millis(700)).await;
        bench.worker.answer(Answering::Refuse(refusal));
        let answer = check(&bench, &upgrade("/ws?token=alice", ""), status, reason).await;
        assert_eq!(answer.header("retry-after").is_some(), matches!(status, 429 | 503), "{reason}");
        let is_final = reason != "worker_unavailable";
        assert_eq!(heard_opens(&bench) == 1, is_final, "{reason}: tried again only where that may help");
        assert!(!bench.worker.heard().iter().any(|said| matches!(said, Said::Gone(_))), "{reason}");
        bench.end().await;
    }
}

#[tokio::test]
async fn a_worker_that_does_not_answer_or_cannot_be_reached() {
    let deadline = Duration::from_millis(300);
    let bench = Bench::with(|setup| setup.config.http.open_deadline = deadline).await;
    bench.worker.answer(Answering::Silence);
    check(&bench, &upgrade("/ws?token=alice", ""), 503, "worker_unavailable").await;
    let channel = bench.worker.hears_open("alice").await.channel;
    assert_eq!(bench.worker.hears_gone(channel).await, 1006, "should it answer later, nobody is there");

    bench.worker.refuse_links();
    bench.worker.cut();
    let answer = check(&bench, &upgrade("/ws?token=bob", ""), 503, "worker_unavailable").await;
    assert!(answer.body.contains("link"), "{}", answer.body);
    bench.end().await;
}

#[tokio::test]
async fn users_who_belong_elsewhere() {
    let here = MemberId::new("w2").expect("an id");
    let bench = Bench::with(|setup| setup.config.routing = Routing::OnlyHere(here)).await;
    let answer = check(&bench, &upgrade("/ws?token=alice", ""), 421, "user_elsewhere").await;
    assert_eq!(answer.header("ringway-owner-url"), Some(support::CLIENT_URL));
    assert!(answer.body.contains(support::CLIENT_URL), "{}", answer.body);
    assert!(bench.worker.heard().is_empty(), "there is no link to other workers");
    bench.end().await;

    let here = MemberId::new("w1").expect("an id");
    let bench = Bench::with(|setup| setup.config.routing = Routing::OnlyHere(here)).await;
    bench.client("alice").await;
    bench.end().await;
}

#[tokio::test]
async fn a_gateway_that_is_full() {
    let bench = Bench::with(|setup| setup.config.http.connections_max = 1).await;
    let (client, channel) = bench.client_and_channel("alice").await;
    check(&bench, &upgrade("/ws?token=bob", ""), 503, "gateway_full").await;
    assert_eq!(heard_opens(&bench), 1);
    drop(client);
    bench.worker.hears_gone(channel).await;
    let again = async { while bench.ask(&upgrade("/ws?token=bob", "")).await.status != 101 {} };
    soon("room", again).await;
    bench.end().await;
}

#[tokio::test]
async fn too_many_handshakes_at_a_time() {
    let bench = Bench::with(|setup| setup.config.http.handshakes_max = 1).await;
    bench.worker.answer(Answering::Silence);
    let mut first = bench.tcp().await;
    first.write_all(upgrade("/ws?token=alice", "").as_bytes()).await.expect("sent");
    bench.worker.hears_open("alice").await;
    let answer = check(&bench, &upgrade("/ws?token=bob", ""), 429, "handshakes_busy").await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    bench.end().await;
}

#[tokio::test]
async fn too_many_pending_connections() {
    let bench = Bench::with(|setup| setup.config.http.pending_max = 1).await;
    let first = bench.tcp().await;
    // The second is accepted and closed, once the first has been accepted.
    let closed = async {
        loop {
            let mut second = bench.tcp().await;
            if matches!(second.read(&mut [0]).await, Ok(0) | Err(_)) {
                return;
            }
        }
    };
    soon("a closed connection", closed).await;
    drop(first);
    bench.end().await;
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let bench = Bench::with(|setup| setup.config.http.handshake_timeout = Duration::from_millis(100)).await;
    let mut stream = bench.tcp().await;
    stream.write_all(b"GET /ws?token=alice HTTP/1.1\r\nhost:").await.expect("sent");
    let mut rest = Vec::new();
    soon("the end", stream.read_to_end(&mut rest)).await.ok();
    assert!(!String::from_utf8_lossy(&rest).contains(" 101 "));
    bench.end().await;
}

#[tokio::test]
async fn health_readiness_and_metrics() {
    let bench = Bench::with(|setup| {
        setup.joined = false;
        setup.metrics = Some(Arc::new(|| "ringway_up 1\n".to_owned()));
    })
    .await;
    assert_eq!(bench.get("/healthz").await.status, 200);
    for path in ["/healthz", "/readyz", "/metrics"] {
        let request = format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n");
        let answer = check(&bench, &request, 405, "method_not_allowed").await;
        assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{path}");
    }
    let answer = bench.get("/readyz").await;
    assert_eq!((answer.status, answer.reason().as_str()), (503, "no_workers"));
    assert_eq!(bench.get("/metrics").await.body, "ringway_up 1\n");
    bench.end().await;

    let bench = Bench::start().await;
    assert_eq!(bench.get("/readyz").await.body, "{\"status\":\"ready\"}");
    assert_eq!(bench.get("/metrics").await.reason(), "metrics_elsewhere");
    assert_eq!(bench.get("/").await.reason(), "path_unknown");
    bench.end().await;
}

#[tokio::test]
async fn a_connection_can_ask_again_and_then_become_a_socket() {
    let bench = Bench::start().await;
    let mut stream = bench.tcp().await;
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n").await.expect("sent");
        assert_eq!(support::read_answer(&mut stream).await.status, 200);
    }
    stream.write_all(upgrade("/ws", "").as_bytes()).await.expect("sent");
    assert_eq!(support::read_answer(&mut stream).await.reason(), "token_missing");
    stream.write_all(upgrade("/ws?token=alice", "").as_bytes()).await.expect("sent");
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    drop(stream);
    bench.end().await;
}
