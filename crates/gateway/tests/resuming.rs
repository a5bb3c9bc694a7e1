//! Clients that come back for their session: what they say, and what their worker is told when they go.

mod support;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringway_auth::{AuthError, Authenticator, Identity, Token};
use ringway_proto::v1::worker_frame::Frame as Told;
use ringway_proto::v1::{Opened, Resume};
use ringway_session::PermissionsClaim;
use support::{Answering, Bench, Client, read_answer, read_head, soon, upgrade};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

const OURS: &str = "sec-websocket-protocol: ringway.v1.json\r\n";

#[tokio::test]
async fn a_client_s_wish_to_resume_reaches_its_worker() {
    let bench = Bench::start().await;
    let attempt = |token: &str, offset, attempt| Some(Resume { token: token.to_owned(), offset, attempt });
    let resume = |token: &str, offset| attempt(token, offset, 0);
    for (index, (query, headers, expected)) in [
        ("&resume=t%2F1&offset=42", OURS, resume("t/1", 42)),
        ("&resume=t&offset=42&attempt=7", OURS, attempt("t", 42, 7)),
        ("&resume=t", OURS, resume("t", 0)),
        ("", OURS, None),
        ("&resume=t&offset=42", "", None),
        ("&resume=t&offset=x", "sec-websocket-protocol: chat\r\n", None),
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("user{index}");
        let mut stream = bench.tcp().await;
        let request = upgrade(&format!("/ws?token={user}{query}"), headers);
        stream.write_all(request.as_bytes()).await.expect("sent");
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "), "{query}");
        assert_eq!(bench.worker.hears_open(&user).await.resume, expected, "{query} {headers}");
    }
    bench.end().await;
}

#[tokio::test]
async fn a_wish_that_cannot_be_is_refused() {
    let bench = Bench::start().await;
    for query in [
        "&resume=",
        "&resume=%ff",
        "&resume=t&offset=-1",
        "&resume=t&attempt=x",
        "&resume=t&offset=18446744073709551616",
    ] {
        let mut stream = bench.tcp().await;
        let request = upgrade(&format!("/ws?token=alice{query}"), OURS);
        stream.write_all(request.as_bytes()).await.expect("sent");
        let answer = read_answer(&mut stream).await;
        assert_eq!((answer.status, answer.reason().as_str()), (400, "resume_invalid"), "{query}");
    }
    bench.end().await;
}

#[tokio::test]
async fn whoever_says_goodbye_does_not_come_back() {
    let bench = Bench::start().await;
    let (mut client, channel) = bench.client_and_channel("goodbye").await;
    let frame = CloseFrame { code: 1001.into(), reason: "bye".into() };
    soon("a goodbye", client.0.close(Some(frame))).await.expect("sent");
    assert!(!bench.worker.hears_gone_for(channel).await.may_resume);

    let (client, channel) = bench.client_and_channel("broken").await;
    drop(client);
    assert!(bench.worker.hears_gone_for(channel).await.may_resume);

    let mut stream = bench.tcp().await;
    stream.write_all(upgrade("/ws?token=faulty", "").as_bytes()).await.expect("sent");
    read_head(&mut stream).await;
    let channel = bench.worker.hears_open("faulty").await.channel;
    // A frame without a mask.
    stream.write_all(&[0x81, 0x01, b'x']).await.expect("sent");
    assert!(!bench.worker.hears_gone_for(channel).await.may_resume);
    bench.end().await;
}

#[tokio::test]
async fn a_session_waits_only_for_a_client_that_has_its_resume_token() {
    let bench = Bench::with(|setup| setup.config.http.open_deadline = Duration::from_millis(300)).await;
    let ask = async |user: &str, query: &str| {
        let mut stream = bench.tcp().await;
        stream.write_all(upgrade(&format!("/ws?token={user}{query}"), OURS).as_bytes()).await.expect("sent");
        let channel = bench.worker.hears_open(user).await.channel;
        (stream, channel)
    };
    let opened = |channel: u64, session: u8| {
        let session_id = vec![session; 16].into();
        Told::Opened(Opened {
            channel,
            session_id,
            subprotocol: "ringway.v1.json".into(),
            ..Opened::default()
        })
    };
    bench.worker.answer(Answering::Silence);
    let (mut stream, channel) = ask("late", "").await;
    assert_eq!(read_answer(&mut stream).await.status, 503);
    assert!(!bench.worker.hears_gone_for(channel).await.may_resume, "it never had its 101");
    let (mut stream, channel) = ask("late-again", "&resume=t").await;
    assert_eq!(read_answer(&mut stream).await.status, 503);
    assert!(bench.worker.hears_gone_for(channel).await.may_resume, "it has the token of the earlier session");
    let (stream, channel) = ask("lost", "").await;
    drop(stream);
    assert!(!bench.worker.hears_gone_for(channel).await.may_resume, "it never had its 101");
    let (mut stream, channel) = ask("opened", "").await;
    bench.worker.tell(opened(channel, 1)).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    drop(stream);
    assert!(bench.worker.hears_gone_for(channel).await.may_resume, "it had its 101");
    bench.end().await;
}

/// Every token lives for a moment.
struct Mayfly;

impl Authenticator for Mayfly {
    fn authenticate(&self, token: &Token, now: SystemTime) -> Result<Identity, AuthError> {
        let user = token.expose().to_owned();
        let expires_at = Some(now + Duration::from_millis(100));
        Ok(Identity {
            user,
            groups: vec![],
            permissions: PermissionsClaim::default(),
            claims: None,
            expires_at,
        })
    }

    fn mode(&self) -> &'static str {
        "mayfly"
    }
}

#[tokio::test]
async fn a_session_whose_token_has_expired_is_over() {
    let bench = Bench::with(|setup| setup.authenticator = Arc::new(Mayfly)).await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    assert_eq!(client.closed().await.0, 4300);
    assert!(!bench.worker.hears_gone_for(channel).await.may_resume);
    bench.end().await;
}

#[tokio::test]
async fn a_gateway_that_goes_tells_its_clients_when_to_come_back() {
    let window = Duration::from_millis(50);
    let bench = Bench::with(|setup| setup.config.shutdown.drain_window = window).await;
    let mut stream = bench.tcp().await;
    stream.write_all(upgrade("/ws?token=alice", OURS).as_bytes()).await.expect("sent");
    read_head(&mut stream).await;
    let mut ours = Client(WebSocketStream::from_raw_socket(stream, Role::Client, None).await);
    let mut plain = bench.client("bob").await;
    let channel = bench.worker.hears_open("alice").await.channel;
    bench.shutdown.cancel();
    let Message::Text(text) = ours.receive_data().await else { panic!("no frame") };
    let frame: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(frame["type"], "reconnect");
    assert!(frame["delay_ms"].as_u64().is_some_and(|delay_ms| delay_ms <= 50), "{frame}");
    assert_eq!(ours.closed().await.0, 1001);
    assert_eq!(plain.closed().await.0, 1001, "nothing before it");
    assert!(bench.worker.hears_gone_for(channel).await.may_resume);
    bench.end().await;
}
