//! What becomes of a handshake whose session its worker closes before, or as soon as, it is open.

mod support;

use ringway_proto::v1::gateway_frame::Frame as Said;
use ringway_proto::v1::worker_frame::Frame as Told;
use ringway_proto::v1::{Close, Opened};
use support::{Answering, Bench, Client, read_answer, read_head, upgrade};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Asks for a session, and gives the stream on which the answer will come, and the session's channel.
async fn settling(bench: &Bench, user: &str) -> (TcpStream, u64) {
    let mut stream = bench.tcp().await;
    stream.write_all(upgrade(&format!("/ws?token={user}"), "").as_bytes()).await.expect("sent");
    let channel = bench.worker.hears_open(user).await.channel;
    (stream, channel)
}

fn count(bench: &Bench, wanted: impl Fn(&Said) -> bool) -> usize {
    bench.worker.heard().iter().filter(|said| wanted(said)).count()
}

#[tokio::test]
async fn a_session_that_is_closed_before_it_is_open_is_not_opened_again() {
    let bench = Bench::start().await;
    bench.worker.answer(Answering::Silence);
    let (mut stream, channel) = settling(&bench, "mallory").await;
    bench.worker.answer(Answering::Admit);
    bench.worker.close(channel, 4401, "you are banned").await;
    let answer = read_answer(&mut stream).await;
    assert_eq!((answer.status, answer.reason().as_str()), (409, "session_closed"));
    let body: serde_json::Value = serde_json::from_str(&answer.body).expect("a JSON body");
    assert_eq!(body["error"]["close_code"], 4401);
    assert_eq!(body["error"]["close_reason"], "you are banned");
    // The next client's session is opened on the same link: what was to be said before has been said.
    drop(bench.client("bob").await);
    assert_eq!(count(&bench, |said| matches!(said, Said::Open(open) if open.user == "mallory")), 1);
    assert_eq!(count(&bench, |said| matches!(said, Said::Gone(gone) if gone.channel == channel)), 0);
    bench.end().await;
}

#[tokio::test]
async fn of_two_settling_sessions_the_one_that_is_replaced_stays_away() {
    let bench = Bench::start().await;
    bench.worker.answer(Answering::Silence);
    let (mut older, older_channel) = settling(&bench, "alice").await;
    let mut newer = bench.tcp().await;
    newer.write_all(upgrade("/ws?token=alice", "").as_bytes()).await.expect("sent");
    let is_newer = |said: &Said| match said {
        Said::Open(open) if open.channel != older_channel => Some(open.channel),
        _ => None,
    };
    let newer_channel = bench.worker.hears("another open", is_newer).await;
    bench.worker.close(older_channel, 4400, "a newer session of the user").await;
    let answer = read_answer(&mut older).await;
    assert_eq!((answer.status, answer.reason().as_str()), (409, "session_closed"));
    assert!(answer.body.contains("4400"), "{}", answer.body);
    bench.worker.tell(Told::Opened(Opened { channel: newer_channel, ..Opened::default() })).await;
    assert!(read_head(&mut newer).await.starts_with("HTTP/1.1 101 "));
    assert_eq!(count(&bench, |said| matches!(said, Said::Open(_))), 2);
    drop(newer);
    bench.end().await;
}

#[tokio::test]
async fn a_session_that_its_leaving_worker_closes_before_it_is_open_is_opened_again() {
    let bench = Bench::start().await;
    bench.worker.answer(Answering::Silence);
    let (mut stream, channel) = settling(&bench, "alice").await;
    bench.worker.answer(Answering::Admit);
    bench.worker.close(channel, 1012, "the session's worker is leaving").await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    drop(stream);
    bench.end().await;
}

#[tokio::test]
async fn a_session_that_is_closed_as_soon_as_it_is_open_is_told_so_on_its_socket() {
    let bench = Bench::start().await;
    bench.worker.answer(Answering::Silence);
    let (mut stream, channel) = settling(&bench, "alice").await;
    let opened = Told::Opened(Opened { channel, ..Opened::default() });
    let close = Told::Close(Close { channel, code: 4401, reason: "enough".into() });
    bench.worker.tell_together(vec![opened, close]).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    assert_eq!(Client(socket).closed().await, (4401, "enough".to_owned()));
    bench.end().await;
}
