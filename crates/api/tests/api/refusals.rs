//! What is refused, with which status, reason and words; and that what the cluster refuses comes out as the map says.

use std::time::Duration;

use ringway_api::{Access, ApiConfig};
use ringway_proto::Reason;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::caller::{Call, exchange, read};
use crate::fake::{FakeCluster, Take, refusal};
use crate::house::{House, within};
use crate::site::{Site, once};

const MESSAGE: &str = r#"{"text":"hi"}"#;

/// A call, and what is to be answered: status, reason, and a part of the words.
type Case = (Call, u16, &'static str, &'static str);

fn wrong_requests() -> Vec<Case> {
    let (invalid, id) = ("INVALID_ARGUMENT", "0".repeat(32));
    let delete = |rest: &str| Call::new("DELETE", &format!("/v1/sessions/{rest}"));
    vec![
        (Call::get("/"), 404, "PATH_UNKNOWN", "/v1/openapi.json"),
        (Call::get("/v1/users"), 404, "PATH_UNKNOWN", ""),
        (Call::get("/v1/messages"), 405, "METHOD_NOT_ALLOWED", "takes POST"),
        (Call::new("PUT", "/v1/users/alice"), 405, "METHOD_NOT_ALLOWED", "takes GET, HEAD"),
        (Call::post("/v1/messages", MESSAGE).without("Content-Type"), 415, "NOT_JSON", "--json"),
        (Call::post("/v1/users/%zz/messages", MESSAGE), 400, invalid, "`%25`"),
        (Call::post("/v1/users//messages", MESSAGE), 400, invalid, "the user is empty"),
        (Call::post("/v1/users/a%0Ab/messages", MESSAGE), 400, invalid, "control character U+000A"),
        (Call::get("/v1/users/a%7Fb"), 400, invalid, "U+007F"),
        (Call::get("/v1/users/alice?all=yes"), 400, invalid, "no query parameter \"all\""),
        (Call::post("/v1/messages?topic=a", MESSAGE), 400, invalid, "no query parameter"),
        (delete("x"), 400, invalid, "32 hexadecimal digits"),
        (delete(&format!("{id}?code=1005")), 400, invalid, "1005"),
        (delete(&format!("{id}?reason={}", "x".repeat(124))), 400, invalid, "124 bytes"),
        (delete(&id), 404, "SESSION_NOT_FOUND", "it may have ended"),
    ]
}

fn wrong_messages() -> Vec<Case> {
    let (invalid, large, user) = ("INVALID_ARGUMENT", "MESSAGE_TOO_LARGE", "/v1/users/alice/messages");
    let text = |bytes: usize| format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes));
    let stored = r#"{"text":"hi","guarantee":"at_least_once"}"#;
    let named =
        |key: &str| Call::post(user, r#"{"text":"hi","message_id":"a"}"#).with("Idempotency-Key", key);
    let group = format!("/v1/groups/{}/messages", "x".repeat(256));
    vec![
        (Call::post(user, ""), 400, invalid, "must be a JSON object"),
        (Call::post(user, r#"{"text":"hi","ttl":5}"#), 400, invalid, "unknown field `ttl`, expected one of"),
        (Call::post(&group, MESSAGE), 400, invalid, "the group has 256 bytes"),
        (Call::post(user, MESSAGE).with("Idempotency-Key", "a b"), 400, invalid, "`Idempotency-Key` must be"),
        (Call::post(user, MESSAGE).with("Idempotency-Key", &"x".repeat(129)), 400, invalid, "has 129 bytes"),
        (named("b"), 400, invalid, "differ"),
        (named("a"), 200, "", ""),
        (Call::post("/v1/groups/room/messages", stored), 400, invalid, "only one user's messages are stored"),
        (Call::post("/v1/messages", stored), 400, invalid, "only one user's messages are stored"),
        (Call::post(user, stored), 409, "NO_MAILBOXES", ""),
        (Call::post(user, text(1024 * 1024 + 1)), 413, large, "has 1048577 bytes"),
        (Call::post(user, text(2 * 1024 * 1024 + 65 * 1024)), 413, large, "larger than 2162688 bytes"),
    ]
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_would_be_right() {
    let house = House::new(1).await;
    let site = Site::before(&house).await;
    for (call, status, reason, words) in wrong_requests().into_iter().chain(wrong_messages()) {
        let answer = call.to(site.address).await;
        let told = format!("{} {} -> {answer:?}", call.method, call.target);
        assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{told}");
        assert!(answer.message().contains(words), "{told}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{told}");
    }
}

#[tokio::test]
async fn what_the_cluster_refuses_keeps_its_reason() {
    let cluster = FakeCluster::start(1).await;
    let sender = once(&cluster.views, &cluster.pool());
    let site = Site::start(ApiConfig::default(), sender, Access::Loopback).await;
    let script = &cluster.workers[0].script;
    let cases = [
        (Reason::NotOwner, 503, "NOT_OWNER", false),
        (Reason::Draining, 503, "DRAINING", false),
        (Reason::Unreachable, 503, "UNREACHABLE", false),
        (Reason::Overloaded, 429, "OVERLOADED", false),
        (Reason::StoreUnavailable, 503, "STORE_UNAVAILABLE", false),
        (Reason::StoreFull, 503, "STORE_FULL", false),
        (Reason::ConnectionLost, 502, "CONNECTION_LOST", true),
        (Reason::DeadlineExceeded, 504, "DEADLINE_EXCEEDED", true),
        (Reason::Unauthenticated, 500, "INTERNAL", false),
        (Reason::Internal, 500, "INTERNAL", true),
    ];
    let session = format!("/v1/sessions/{}", "0".repeat(32));
    for (reason, status, name, maybe_delivered) in cases {
        script.always(Take::Refuse(refusal(reason)));
        for call in [
            Call::post("/v1/users/alice/messages", r#"{"text":"hi","message_id":"m1"}"#),
            Call::post("/v1/groups/room/messages", r#"{"text":"hi","message_id":"m1"}"#),
            Call::post("/v1/messages", r#"{"text":"hi","message_id":"m1"}"#),
            Call::new("DELETE", &session),
        ] {
            let answer = call.to(site.address).await;
            let error = &answer.json()["error"];
            assert_eq!((answer.status, answer.reason().as_str()), (status, name), "{answer:?}");
            assert_eq!(error["maybe_delivered"], maybe_delivered, "{answer:?}");
            let message_id = (call.method == "POST").then_some("m1");
            assert_eq!(error["message_id"].as_str(), message_id, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_cluster_without_workers_says_so() {
    let house = House::new(0).await;
    let sender = once(&house.views, &house.pool);
    let site = Site::start(ApiConfig::default(), sender, Access::Loopback).await;
    for call in [
        Call::post("/v1/users/alice/messages", MESSAGE),
        Call::post("/v1/groups/room/messages", MESSAGE),
        Call::post("/v1/messages", MESSAGE),
        Call::get("/v1/users/alice"),
        Call::new("DELETE", &format!("/v1/sessions/{}", "0".repeat(32))),
    ] {
        let answer = call.to(site.address).await;
        assert_eq!((answer.status, answer.reason().as_str()), (503, "NO_WORKERS"), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn a_body_must_come_within_its_bounds_and_its_time() {
    let house = House::new(1).await;
    let config =
        ApiConfig { body_bytes_max: 64, body_timeout: Duration::from_millis(50), ..ApiConfig::default() };
    let site = Site::start(config, once(&house.views, &house.pool), Access::Loopback).await;
    // As long as it says, in pieces, and only announced.
    let chunked = Call::post("/v1/messages", "").with("Transfer-Encoding", "chunked");
    let pieces =
        [chunked.bytes(site.address), b"50\r\n".to_vec(), vec![b'x'; 80], b"\r\n0\r\n\r\n".to_vec()].concat();
    let announced =
        Call::post("/v1/messages", "").with("Content-Length", "65").with("Expect", "100-continue");
    for request in
        [Call::post("/v1/messages", [b'x'; 65]).bytes(site.address), pieces, announced.bytes(site.address)]
    {
        let answer = exchange(site.address, &request).await;
        assert_eq!((answer.status, answer.reason().as_str()), (413, "MESSAGE_TOO_LARGE"), "{answer:?}");
    }
    let slow = Call::post("/v1/messages", "").with("Content-Length", "10");
    let answer = slow.to(site.address).await;
    assert_eq!((answer.status, answer.reason().as_str()), (408, "BODY_TOO_SLOW"), "{answer:?}");
}

#[tokio::test]
async fn whatever_is_sent_is_answered_or_the_connection_ends() {
    let house = House::new(1).await;
    let site = Site::before(&house).await;
    let garbage: [&[u8]; 6] = [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01",
        b"GET /v1/users/\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ];
    for bytes in garbage {
        within(async {
            let mut stream = TcpStream::connect(site.address).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            // Whether it is answered or cut is up to the parser.
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await.ok();
        })
        .await;
    }
    assert_eq!(Call::post("/v1/messages", MESSAGE).to(site.address).await.status, 200);
    assert!(!site.task.is_finished());
    // The client that goes on after an answer is answered again.
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let first = format!("GET /v1/users/alice HTTP/1.1\r\nHost: {}\r\n\r\n", site.address);
    stream.write_all(first.as_bytes()).await.unwrap();
    stream.write_all(&Call::get("/v1/users/alice").bytes(site.address)).await.unwrap();
    let both = within(read(&mut stream)).await;
    assert_eq!(both.body.matches("HTTP/1.1 200 OK").count(), 1, "{both:?}");
}
