//! How sessions begin and end, whoever ends them.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt;
use ringway_auth::jwt::{JwtSigner, Secret, TokenRequest};
use ringway_auth::{AuthError, Authenticator, Identity, Jwt, JwtConfig, KeySource, Token};
use ringway_cluster::{Lease, Registry};
use ringway_proto::v1::gateway_frame::Frame as Said;
use ringway_proto::v1::{PayloadKind, RefusalReason};
use ringway_session::PermissionsClaim;
use support::{Answering, Bench, read_answer, read_head, soon, upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

#[tokio::test]
async fn the_clients_close_code_reaches_the_worker() {
    let bench = Bench::start().await;
    for (index, code) in [Some(1000), Some(4321), None].into_iter().enumerate() {
        let (mut client, channel) = bench.client_and_channel(&format!("user{index}")).await;
        let frame = code.map(|code: u16| CloseFrame { code: code.into(), reason: "bye".into() });
        soon("a goodbye", client.0.close(frame.clone())).await.expect("sent");
        let Message::Close(echo) = client.receive().await else { panic!("no close frame came back") };
        assert_eq!(echo.map(|frame| u16::from(frame.code)), code);
        assert!(soon("the end", client.0.next()).await.is_none());
        assert_eq!(bench.worker.hears_gone(channel).await, u32::from(code.unwrap_or(1005)));
    }
    bench.end().await;
}

#[tokio::test]
async fn a_client_that_vanishes_is_gone_with_1006() {
    let bench = Bench::start().await;
    let (client, channel) = bench.client_and_channel("alice").await;
    drop(client);
    assert_eq!(bench.worker.hears_gone(channel).await, 1006);
    bench.end().await;
}

#[tokio::test]
async fn a_client_that_vanishes_before_its_answer_is_gone_too() {
    let bench = Bench::start().await;
    bench.worker.answer(Answering::Silence);
    let mut stream = bench.tcp().await;
    stream.write_all(upgrade("/ws?token=alice", "").as_bytes()).await.expect("sent");
    let channel = bench.worker.hears_open("alice").await.channel;
    drop(stream);
    assert_eq!(bench.worker.hears_gone(channel).await, 1006);
    bench.end().await;
}

#[tokio::test]
async fn a_close_from_the_worker_comes_after_what_is_queued_and_is_not_answered_by_gone() {
    let bench = Bench::start().await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    let large = vec![3; 700_000];
    bench.worker.deliver(&[channel], &large, PayloadKind::Binary).await;
    bench.worker.deliver(&[channel], b"last", PayloadKind::Text).await;
    bench.worker.close(channel, 4400, "a newer session").await;
    assert_eq!(client.receive_data().await, Message::binary(large));
    assert_eq!(client.receive_data().await, Message::text("last"));
    assert_eq!(client.closed().await, (4400, "a newer session".to_owned()));
    // The next client's session is opened on the same link: what was to be said before has been said.
    bench.client("bob").await;
    assert!(
        !bench.worker.heard().iter().any(|said| matches!(said, Said::Gone(gone) if gone.channel == channel))
    );
    bench.end().await;
}

#[tokio::test]
async fn close_codes_and_reasons_that_cannot_be_sent_are_made_to_fit() {
    let bench = Bench::start().await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    bench.worker.close(channel, 1005, &"é".repeat(100)).await;
    let (code, reason) = client.closed().await;
    assert_eq!((code, reason), (1011, "é".repeat(61)));
    bench.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_a_close_is_dropped_in_time() {
    let bench = Bench::with(|setup| setup.config.socket.close_timeout = Duration::from_millis(100)).await;
    let mut stream = bench.tcp().await;
    stream.write_all(upgrade("/ws?token=alice", "").as_bytes()).await.expect("sent");
    read_head(&mut stream).await;
    let channel = bench.worker.hears_open("alice").await.channel;
    // Much more than the operating system takes while nobody reads.
    for _ in 0..20 {
        bench.worker.deliver(&[channel], &vec![1; 1024 * 1024], PayloadKind::Binary).await;
    }
    bench.worker.close(channel, 1013, "too slow").await;
    let mut rest = Vec::new();
    // Only now it reads, and what it gets ends before the close frame does.
    let closed = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // A reset is an end too.
        stream.read_to_end(&mut rest).await.ok();
    };
    soon("the end", closed).await;
    assert!(rest.len() < 20 * 1024 * 1024, "{} bytes came", rest.len());
    bench.end().await;
}

#[tokio::test]
async fn a_client_that_takes_no_byte_for_too_long_is_dropped() {
    let bench = Bench::with(|setup| setup.config.socket.write_timeout = Duration::from_millis(100)).await;
    let (client, channel) = bench.client_and_channel("alice").await;
    for _ in 0..20 {
        bench.worker.deliver(&[channel], &vec![1; 1024 * 1024], PayloadKind::Binary).await;
    }
    assert_eq!(bench.worker.hears_gone(channel).await, 1006);
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn a_silent_client_is_asked_and_then_closed() {
    let bench = Bench::with(|setup| {
        setup.config.socket.ping_interval = Duration::from_millis(50);
        setup.config.socket.idle_timeout = Duration::from_millis(200);
    })
    .await;
    let mut stream = bench.tcp().await;
    stream.write_all(upgrade("/ws?token=alice", "").as_bytes()).await.expect("sent");
    read_head(&mut stream).await;
    let mut pings = 0;
    loop {
        match soon("a frame", stream.read_u16()).await.expect("a frame").to_be_bytes() {
            [0x89, 0] => pings += 1,
            [0x88, length] => {
                let mut body = vec![0; length.into()];
                soon("its body", stream.read_exact(&mut body)).await.expect("a body");
                assert_eq!(body[..2], 1001_u16.to_be_bytes());
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((2..=4).contains(&pings), "{pings} pings in four intervals");
    let channel = bench.worker.hears_open("alice").await.channel;
    bench.worker.hears_gone(channel).await;
    bench.end().await;
}

/// Half a message, as a fragment of its own.
fn half(opcode: Data, is_last: bool) -> Message {
    Message::Frame(Frame::message("half", OpCode::Data(opcode), is_last))
}

#[tokio::test]
async fn a_message_that_is_never_finished_ends_the_session_although_pings_are_answered() {
    for ping_interval in [Duration::from_millis(20), Duration::from_secs(25)] {
        let bench = Bench::with(|setup| {
            setup.config.socket.ping_interval = ping_interval;
            setup.config.socket.idle_timeout = Duration::from_secs(60);
            setup.config.socket.message_timeout = Duration::from_millis(300);
        })
        .await;
        let (mut client, channel) = bench.client_and_channel("alice").await;
        client.send(half(Data::Text, false)).await;
        let (code, reason) = client.closed().await;
        assert_eq!((code, reason.as_str()), (1008, "a message took too long to arrive"));
        assert_eq!(bench.worker.hears_gone(channel).await, 1006);
        bench.end().await;
    }
}

#[tokio::test]
async fn the_time_in_which_a_message_is_not_read_does_not_count() {
    let message_timeout = Duration::from_millis(500);
    let bench = Bench::with(|setup| {
        setup.config.link.queue_bytes_max = 1000;
        setup.config.socket.ping_interval = Duration::from_millis(20);
        setup.config.socket.message_timeout = message_timeout;
    })
    .await;
    let (mut alice, mut bob) = (bench.client("alice").await, bench.client("bob").await);
    bench.worker.listen(false);
    alice.send(half(Data::Text, false)).await;
    for _ in 0..20 {
        bob.send(Message::binary(vec![1; 100_000])).await;
    }
    // Only the passing of this time shows it.
    tokio::time::sleep(2 * message_timeout).await;
    bench.worker.listen(true);
    alice.send(half(Data::Continue, true)).await;
    assert_eq!(alice.receive_data().await, Message::text("halfhalf"));
    drop((alice, bob));
    bench.end().await;
}

#[tokio::test]
async fn a_client_that_is_held_up_by_its_worker_is_not_idle() {
    let idle_timeout = Duration::from_millis(200);
    let bench = Bench::with(|setup| {
        setup.config.link.queue_bytes_max = 1000;
        setup.config.socket.ping_interval = Duration::from_millis(50);
        setup.config.socket.idle_timeout = idle_timeout;
    })
    .await;
    let mut client = bench.client("alice").await;
    bench.worker.listen(false);
    for _ in 0..20 {
        client.send(Message::binary(vec![1; 100_000])).await;
    }
    // Only the passing of this time shows it.
    tokio::time::sleep(3 * idle_timeout).await;
    bench.worker.listen(true);
    for _ in 0..20 {
        assert_eq!(client.receive_data().await.len(), 100_000);
    }
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let bench = Bench::with(|setup| {
        setup.config.socket.ping_interval = Duration::from_millis(20);
        setup.config.socket.idle_timeout = Duration::from_millis(500);
    })
    .await;
    let mut client = bench.client("alice").await;
    for _ in 0..50 {
        assert!(client.receive().await.is_ping(), "answered by tungstenite as it reads on");
    }
    client.send("still here").await;
    assert_eq!(client.receive_data().await, Message::text("still here"));
    drop(client);
    bench.end().await;
}

/// Every token lives for a moment.
struct Mayfly(Duration);

impl Authenticator for Mayfly {
    fn authenticate(&self, token: &Token, now: SystemTime) -> Result<Identity, AuthError> {
        let user = token.expose().to_owned();
        Ok(Identity {
            user,
            groups: vec![],
            permissions: PermissionsClaim::default(),
            claims: Some("{}".into()),
            expires_at: Some(now + self.0),
        })
    }

    fn mode(&self) -> &'static str {
        "mayfly"
    }
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let bench = Bench::with(|setup| setup.authenticator = Arc::new(Mayfly(Duration::from_millis(200)))).await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    assert_eq!(client.closed().await.0, 4300);
    bench.worker.hears_gone(channel).await;
    bench.end().await;
}

#[tokio::test]
async fn a_session_that_begins_inside_the_leeway_lasts_as_long_as_the_leeway() {
    const LEEWAY: Duration = Duration::from_secs(4);
    let secret = Secret::new("0123456789abcdef0123456789abcdef").expect("long enough");
    let mut config = JwtConfig::new(KeySource::Secret(secret.clone()));
    config.leeway = LEEWAY;
    let jwt = Arc::new(Jwt::new(config).expect("a key"));
    let bench = Bench::with(|setup| setup.authenticator = jwt).await;
    // A time in a token has whole seconds: this is over for 2 to 3 of them.
    let over = SystemTime::now() - Duration::from_secs(2);
    let request =
        TokenRequest { user: "alice".to_owned(), expires_at: Some(over), ..TokenRequest::default() };
    let token = JwtSigner::new(&secret).sign(&request, over).expect("signed");
    let began = Instant::now();
    let mut client = bench.client(token.expose()).await;
    client.send("still here").await;
    assert_eq!(client.receive_data().await, Message::text("still here"));
    assert_eq!(client.closed().await.0, 4300);
    assert!(began.elapsed() > Duration::from_millis(800), "after {:?}", began.elapsed());
    bench.end().await;
}

#[tokio::test]
async fn a_session_outlives_its_token_if_told_so() {
    let bench = Bench::with(|setup| {
        setup.authenticator = Arc::new(Mayfly(Duration::ZERO));
        setup.config.socket.close_on_expiry = false;
    })
    .await;
    let mut client = bench.client("alice").await;
    client.send("still here").await;
    assert_eq!(client.receive_data().await, Message::text("still here"));
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn a_broken_link_is_made_again_and_its_clients_notice_nothing() {
    let bench = Bench::start().await;
    let (mut alice, first) = bench.client_and_channel("alice").await;
    bench.worker.cut();
    bench.worker.hears_reopen("alice", 0).await;
    let mut bob = bench.client("bob").await;
    for client in [&mut alice, &mut bob] {
        client.send("hello").await;
        assert_eq!(client.receive_data().await, Message::text("hello"));
    }
    assert_eq!(first, 1, "the first number of a link");
    drop((alice, bob));
    bench.end().await;
}

#[tokio::test]
async fn a_link_that_breaks_during_an_open_is_tried_again() {
    let bench = Bench::start().await;
    bench.worker.answer(Answering::Silence);
    let mut stream = bench.tcp().await;
    stream.write_all(upgrade("/ws?token=alice", "").as_bytes()).await.expect("sent");
    bench.worker.hears_open("alice").await;
    bench.worker.answer(Answering::Admit);
    bench.worker.cut();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    drop(stream);
    bench.end().await;
}

#[tokio::test]
async fn passing_refusals_are_tried_again_within_the_deadline() {
    for reason in [RefusalReason::NotOwner, RefusalReason::Draining] {
        let bench = Bench::start().await;
        bench.worker.answer(Answering::Refuse(reason));
        let mut stream = bench.tcp().await;
        stream.write_all(upgrade("/ws?token=alice", "").as_bytes()).await.expect("sent");
        bench.worker.hears_open("alice").await;
        bench.worker.answer(Answering::Admit);
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "), "{reason:?}");
        drop(stream);
        bench.end().await;
    }
}

#[tokio::test]
async fn a_session_waits_for_the_first_worker_of_an_empty_view_in_vain_but_not_for_its_link() {
    let bench = Bench::with(|setup| setup.joined = false).await;
    let answer = bench.ask(&upgrade("/ws?token=alice", "")).await;
    assert_eq!((answer.status, answer.reason().as_str()), (503, "no_workers"));
    let _lease: Box<dyn Lease> = bench.registry.join(bench.worker.member()).await.expect("joined");
    let mut views = bench.views.subscribe();
    soon("the view", views.wait_for(|view| !view.workers().is_empty())).await.expect("a view");
    let mut client = bench.client("alice").await;
    client.send("hello").await;
    assert_eq!(client.receive_data().await, Message::text("hello"));
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn a_worker_that_leaves_the_view_keeps_its_sessions_for_a_moment() {
    let (mut bench, other) = Bench::with_another(|_| {}).await;
    let mut client = bench.client("alice").await;
    let _other = bench.registry.join(other.member()).await.expect("joined");
    bench.leave().await;
    let mut views = bench.views.subscribe();
    let alone = |view: &Arc<ringway_cluster::View>| {
        view.workers().len() == 1 && view.workers()[0].id.as_str() == "w2"
    };
    soon("the view", views.wait_for(alone)).await.expect("a view");
    client.send("still here").await;
    assert_eq!(client.receive_data().await, Message::text("still here"));
    drop(client);
    soon("the link's end", bench.worker.left()).await;
    bench.end().await;
}

#[tokio::test]
async fn shutdown_tells_the_clients_and_the_workers_and_leaves_nothing_behind() {
    let bench = Bench::with(|setup| setup.config.shutdown.drain_window = Duration::from_millis(200)).await;
    let mut clients = Vec::new();
    for index in 0..20 {
        clients.push(bench.client_and_channel(&format!("user{index}")).await);
    }
    bench.shutdown.cancel();
    for (client, channel) in &mut clients {
        assert_eq!(client.closed().await.0, 1001);
        bench.worker.hears_gone(*channel).await;
    }
    soon("the link's end", bench.worker.left()).await;
    assert!(tokio::net::TcpStream::connect(bench.address).await.is_err(), "nobody listens any more");
    bench.end().await;
}

#[tokio::test]
async fn a_gateway_that_is_dropped_leaves_nothing_running() {
    let bench = Bench::start().await;
    let (mut client, _) = bench.client_and_channel("alice").await;
    bench.gateway.abort();
    client.closed().await;
    soon("the link's end", bench.worker.left()).await;
    assert!(tokio::net::TcpStream::connect(bench.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn nothing_is_said_of_a_session_after_its_end() {
    let bench = Bench::start().await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    bench.worker.deliver(&[channel], &[1; 100], PayloadKind::Binary).await;
    client.receive_data().await;
    bench.worker.hears_written(channel, 164).await;
    bench.worker.deliver(&[channel], &[1; 100], PayloadKind::Binary).await;
    bench.worker.close(channel, 4400, "enough").await;
    client.receive_data().await;
    client.closed().await;
    // Reports gather for a while, so another client's is waited for, which comes later than this one's would.
    let (mut other, other_channel) = bench.client_and_channel("bob").await;
    bench.worker.deliver(&[other_channel], b"", PayloadKind::Text).await;
    other.receive_data().await;
    bench.worker.hears_written(other_channel, 64).await;
    assert_eq!(bench.worker.written(channel), 164);
    drop(other);
    bench.end().await;
}

#[tokio::test]
async fn an_unready_gateway_says_so_and_serves_on() {
    let bench = Bench::with(|setup| setup.config.shutdown.unready_for = Duration::from_secs(2)).await;
    let mut health = bench.tcp().await;
    let ask = b"GET /readyz HTTP/1.1\r\nhost: test\r\n\r\n";
    health.write_all(ask).await.expect("sent");
    assert_eq!(read_answer(&mut health).await.status, 200);
    bench.shutdown.cancel();
    let unready = async {
        loop {
            health.write_all(ask).await.expect("sent");
            let answer = read_answer(&mut health).await;
            if answer.status == 503 {
                return answer.reason();
            }
        }
    };
    assert_eq!(soon("an unready gateway", unready).await, "shutting_down");
    drop(bench.client("alice").await);
    bench.end().await;
}

#[tokio::test]
async fn a_thousand_connects_and_kills_leave_no_session() {
    let bench = Bench::start().await;
    for round in 0..1000 {
        let mut stream = bench.tcp().await;
        stream.write_all(upgrade(&format!("/ws?token=user{round}"), "").as_bytes()).await.expect("sent");
        if round % 3 == 0 {
            read_head(&mut stream).await;
        }
        if round % 3 == 1 {
            stream.set_zero_linger().expect("a reset at the end");
        }
    }
    let balanced = bench.worker.hears_as_many_gone_as_opened();
    soon("an end of every session", balanced).await;
    bench.end().await;
}
