//! Handshakes that get no socket: each with its code, its reason, and words that help.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use ringway_e2e::http::{Answer, Handshake, get};
use ringway_e2e::{Client, Cluster, PATIENCE};
use serde_json::json;

/// Holds that an answer is the refusal that it should be, in status, reason and form.
fn assert_refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{reason}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{reason}: {answer:?}");
    let error = &answer.json()["error"];
    assert_eq!((&error["status"], &error["reason"]), (&json!(status), &json!(reason)), "{answer:?}");
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_handshake_is_refused() {
    let cluster = Cluster::start(1).await;
    let proper = || Handshake::at("/ws?token=alice");
    assert_eq!(proper().answer(cluster.clients()).await.status, 101);
    let long = "x".repeat(20_000);
    let table = [
        (400, "connection_not_upgrade", proper().but("Connection", "keep-alive")),
        (400, "host_invalid", proper().without("Host")),
        (400, "key_invalid", proper().without("Sec-WebSocket-Key")),
        (400, "key_invalid", proper().but("Sec-WebSocket-Key", "short")),
        (400, "body_not_allowed", proper().with("Content-Length", "5")),
        (404, "path_unknown", proper().line("GET /elsewhere?token=alice HTTP/1.1")),
        (404, "metrics_elsewhere", proper().line("GET /metrics HTTP/1.1")),
        (405, "method_not_allowed", proper().line("POST /ws?token=alice HTTP/1.1")),
        (426, "http_too_old", proper().line("GET /ws?token=alice HTTP/1.0")),
        (426, "upgrade_required", proper().without("Upgrade")),
        (426, "version_not_supported", proper().but("Sec-WebSocket-Version", "8")),
        (426, "version_not_supported", proper().without("Sec-WebSocket-Version")),
        (431, "head_too_large", proper().with("X-Long", &long)),
    ];
    for (status, reason, handshake) in table {
        let answer = handshake.answer(cluster.clients()).await;
        assert_refused(&answer, status, reason);
        if status == 426 {
            assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{answer:?}");
        }
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("GET"), "{answer:?}");
        }
    }
    let metrics = cluster.gateways[0].metrics().await;
    for (reason, count) in [("path_unknown", 1.0), ("metrics_elsewhere", 0.0), ("version_not_supported", 2.0)]
    {
        let label = format!("result=\"{reason}\"");
        assert_eq!(metrics.sum("ringway_gateway_handshakes_total", &[&label]), count, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_token_there_is_no_socket() {
    let cluster = Cluster::start(1).await;
    let long = format!("/ws?token={}", "x".repeat(9_000));
    let table = [
        (401, "token_missing", "/ws"),
        (401, "token_missing", "/ws?tokens=alice"),
        (401, "token_blank", "/ws?token="),
        (401, "token_blank", "/ws?token=%20%09"),
        (400, "token_not_utf8", "/ws?token=%ff"),
        (400, "token_control_character", "/ws?token=ali%00ce"),
        (431, "token_too_long", &long),
    ];
    for (status, reason, target) in table {
        let answer = Handshake::at(target).answer(cluster.clients()).await;
        assert_refused(&answer, status, reason);
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{answer:?}");
    }
    let too_long_a_name =
        Handshake::at(&format!("/ws?token={}", "x".repeat(256))).answer(cluster.clients()).await;
    assert_refused(&too_long_a_name, 400, "user_invalid");
    // None of them has troubled a worker.
    assert_eq!(cluster.over_workers("ringway_worker_opens_total", &[]).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_from_every_place_and_decoded() {
    let config = "[auth]\nsources = [\"query:token\", \"bearer\", \"subprotocol:token.\", \"cookie:session\"]\n\
                  origins = [\"https://app.example.com\"]";
    let cluster = Cluster::builder().config(config).start().await;
    let table = [
        ("jürgen müller", Handshake::at("/app/webSocket?x=1&token=j%C3%BCrgen%20m%C3%BCller")),
        ("by-bearer", Handshake::at("/ws").with("Authorization", "Bearer by-bearer")),
        (
            "by-protocol",
            Handshake::at("/ws").with("Sec-WebSocket-Protocol", "ringway.raw, token.by-protocol"),
        ),
        (
            "by-cookie",
            Handshake::at("/ws")
                .with("Cookie", "a=b; session=by-cookie")
                .with("Origin", "https://app.example.com"),
        ),
    ];
    for (user, handshake) in table {
        let answer = handshake.answer(cluster.clients()).await;
        assert_eq!(answer.status, 101, "{user}: {answer:?}");
    }
    assert_eq!(cluster.over_workers("ringway_worker_opens_total", &["result=\"ok\""]).await, 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_refused() {
    let config = "[auth]\norigins = [\"https://app.example.com\"]\nallow_missing_origin = false";
    let cluster = Cluster::builder().config(config).start().await;
    let at = |origin| Handshake::at("/ws?token=alice").with("Origin", origin);
    assert_eq!(at("https://app.example.com").answer(cluster.clients()).await.status, 101);
    let table = [
        ("origin_missing", Handshake::at("/ws?token=alice")),
        ("origin_not_allowed", at("https://evil.example.com")),
        ("origin_not_allowed", at("null")),
        ("origin_malformed", at("https://app.example.com/path")),
    ];
    for (reason, handshake) in table {
        assert_refused(&handshake.answer(cluster.clients()).await, 403, reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jwt_must_prove_what_it_says() {
    const SECRET: &str = "a-secret-that-has-at-least-32-bytes!";
    let config = format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret = {SECRET:?}\nleeway = \"0s\"");
    let cluster = Cluster::builder().config(&config).start().await;
    let token = |claims: serde_json::Value, secret: &str| {
        encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes()))
            .expect("claims are JSON")
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let (later, before) = (now + 600, now - 600);
    let good = token(json!({ "sub": "alice", "exp": later, "groups": ["room7"] }), SECRET);
    let mut alice = Client::connect(cluster.clients(), &good).await;

    let forged = token(json!({ "sub": "alice", "exp": later }), "another-secret-of-at-least-32-bytes!!");
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.";
    for (reason, wrong) in [
        ("signature_invalid", forged.as_str()),
        ("token_expired", &token(json!({ "sub": "alice", "exp": before }), SECRET)),
        ("token_not_yet_valid", &token(json!({ "sub": "alice", "exp": later, "nbf": later }), SECRET)),
        ("claim_missing", &token(json!({ "sub": "alice" }), SECRET)),
        ("user_claim_missing", &token(json!({ "exp": later }), SECRET)),
        ("algorithm_not_allowed", unsigned),
        ("token_malformed", "alice"),
    ] {
        let answer = Handshake::at(&format!("/ws?token={wrong}")).answer(cluster.clients()).await;
        assert_refused(&answer, 401, reason);
    }
    let sender = cluster.sender().await;
    assert_eq!(sender.send_to_group("room7", "by claim").await.expect("it is taken").sessions, 1);
    assert_eq!(alice.text().await, "by claim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_cluster_says_when_to_come_back() {
    let per_user = "[sessions]\nper_user_max = 1\non_conflict = \"refuse\"";
    let gateway = "[gateway]\nconnections_max = 1";
    let worker = "[sessions]\nmax = 1";
    let table = [
        (per_user, "alice", 429, "sessions_too_many"),
        (gateway, "bob", 503, "gateway_full"),
        (worker, "bob", 503, "worker_full"),
    ];
    for (config, second, status, reason) in table {
        let cluster = Cluster::builder().config(config).start().await;
        let first = cluster.client("alice").await;
        let answer = Handshake::at(&format!("/ws?token={second}")).answer(cluster.clients()).await;
        assert_refused(&answer, status, reason);
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        drop(first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_worker_a_user_is_asked_to_come_back() {
    let mut cluster = Cluster::builder().config("[gateway]\nopen_deadline = \"500ms\"").start().await;
    cluster.workers[0].process.kill().await;
    let answer = Handshake::at("/ws?token=alice").answer(cluster.clients()).await;
    assert_refused(&answer, 503, "worker_unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    cluster.workers[0].restart().await;
    let deadline = Instant::now() + PATIENCE;
    let client = loop {
        match Client::try_connect(cluster.clients(), "alice").await {
            Ok(client) => break client,
            Err(refused) => assert!(refused.status == 503 && Instant::now() < deadline, "{refused:?}"),
        }
    };
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_sends_other_workers_users_away() {
    let listen = format!("{}:0", ringway_e2e::address::own_ip());
    let cluster = Cluster::builder().workers(2).worker_arguments(&["--listen", &listen]).start().await;
    let (mut here, mut elsewhere) = (0, 0);
    for number in 0..20 {
        let handshake = Handshake::at(&format!("/ws?token=user{number}"));
        let mut statuses = Vec::new();
        for worker in &cluster.workers {
            let answer = handshake.answer(worker.clients()).await;
            if answer.status == 421 {
                assert_refused(&answer, 421, "user_elsewhere");
            }
            statuses.push(answer.status);
        }
        here += statuses.iter().filter(|status| **status == 101).count();
        elsewhere += statuses.iter().filter(|status| **status == 421).count();
    }
    assert_eq!((here, elsewhere), (20, 20), "each user is at home at exactly one worker");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_life_readiness_and_counts() {
    let mut cluster = Cluster::start(1).await;
    for node in cluster.nodes() {
        for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/else", 404)] {
            assert_eq!(get(node.status(), path).await.status, status, "{path}");
        }
    }
    assert_eq!(get(cluster.clients(), "/healthz").await.status, 200);
    assert_refused(&Handshake::at("/ws").answer(cluster.clients()).await, 401, "token_missing");
    let metrics = cluster.gateways[0].metrics().await;
    assert_eq!(metrics.sum("ringway_gateway_handshakes_total", &["result=\"token_missing\""]), 1.0);
}
