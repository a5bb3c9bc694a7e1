//! Sessions that move because their worker wants them to: the client notices nothing.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ringway_proto::v1::gateway_frame::Frame as Said;
use ringway_proto::v1::worker_frame::Frame as Told;
use ringway_proto::v1::{Deliver, Detached, Opened, PayloadKind, RefusalReason};
use support::{Answering, Bench, Client, Detaching, FakeWorker, read_head, soon, upgrade};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

/// A text of the client that its worker has heard.
async fn hears_message(worker: &FakeWorker, text: &str) {
    let is_it = |said: &Said| match said {
        Said::Message(message) if message.payload == text.as_bytes() => Some(()),
        _ => None,
    };
    worker.hears(text, is_it).await;
}

#[tokio::test]
async fn a_planned_move_loses_doubles_and_reorders_nothing_both_ways() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (client, old) = bench.client_and_channel("alice").await;
    let _lease = bench.hand_over_to(&other).await;
    let (mut sink, mut stream) = futures_util::StreamExt::split(client.0);
    let count = 5000;
    let is_to_move = Arc::new(Notify::new());
    let moves = Arc::clone(&is_to_move);
    let sending = tokio::spawn(async move {
        for index in 0..count {
            // However quick the client is, it sends while the session moves.
            if index == count / 2 {
                moves.notified().await;
            }
            let message = Message::text(index.to_string());
            futures_util::SinkExt::send(&mut sink, message).await.expect("sent");
        }
        sink
    });
    for index in 0..count {
        if index == count / 5 {
            bench.worker.moves(&[old]).await;
            is_to_move.notify_one();
        }
        let message = soon("an echo", futures_util::StreamExt::next(&mut stream)).await;
        assert_eq!(message.expect("open").expect("a message"), Message::text(index.to_string()));
    }
    let new = other.hears_reopen("alice", 0).await;
    bench.worker.hears_arrived(old).await;
    let first = bench.worker.heard_messages(old);
    let both = [first.clone(), other.heard_messages(new.channel)].concat();
    assert!((0..count).map(|index| index.to_string()).eq(both), "each to one worker, in order");
    assert!(first.len() < count, "some went to the new worker");
    let after_detach = bench.worker.heard().into_iter().skip_while(|said| !matches!(said, Said::Detach(_)));
    let after_detach: Vec<_> = after_detach.skip(1).collect();
    assert!(matches!(after_detach[..], [Said::Arrived(_)]), "{after_detach:?}");
    drop((sending.await.expect("all sent"), stream));
    other.hears_gone(new.channel).await;
    bench.end().await;
}

#[tokio::test]
async fn what_is_kept_follows_the_open_and_the_old_worker_hears_of_the_arrival() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    bench.worker.detach(Detaching::Silence);
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    bench.worker.hears_detach(old).await;
    client.send("one").await;
    client.send("two").await;
    bench.worker.deliver(&[old], b"still from here", PayloadKind::Text).await;
    assert_eq!(client.receive_data().await, Message::text("still from here"));
    bench.worker.tell(Told::Detached(Detached { channel: old, state: "all of it".into() })).await;
    bench.worker.deliver(&[old], b"too late", PayloadKind::Text).await;

    let open = other.hears_reopen("alice", 0).await;
    let first = bench.worker.hears_open("alice").await;
    assert_eq!((&open.session_id, open.user.as_str()), (&first.session_id, "alice"));
    assert_eq!(open.reopen.expect("a state").state, "all of it");
    client.send("three").await;
    assert_eq!(other.heard_messages(open.channel), [""; 0], "nothing before it is open");
    // A worker delivers as soon as the session is in its table.
    other.deliver(&[open.channel], b"from the new one", PayloadKind::Text).await;
    assert_eq!(client.receive_data().await, Message::text("from the new one"));
    other.tell(Told::Opened(Opened { channel: open.channel, ..Opened::default() })).await;
    hears_message(&other, "three").await;
    client.send("four").await;
    hears_message(&other, "four").await;
    assert_eq!(other.heard_messages(open.channel), ["one", "two", "three", "four"]);
    bench.worker.hears_arrived(old).await;
    assert_eq!(bench.worker.heard_messages(old), [""; 0]);
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn a_worker_that_has_no_place_yet_is_asked_again() {
    for reason in [RefusalReason::NotOwner, RefusalReason::Draining] {
        let (bench, other) = Bench::with_another(|_| {}).await;
        let (mut client, old) = bench.client_and_channel("alice").await;
        other.answer(Answering::Refuse(reason));
        let _lease = bench.hand_over_to(&other).await;
        bench.worker.moves(&[old]).await;
        let refused = other.hears_reopen("alice", 0).await;
        client.send("kept").await;
        let again = other.hears_reopen("alice", refused.channel).await;
        assert_eq!(again.reopen, refused.reopen, "with the same state");
        other.answer(Answering::Admit);
        assert_eq!(client.receive_data().await, Message::text("kept"), "{reason:?}");
        bench.worker.hears_arrived(old).await;
        drop(client);
        bench.end().await;
    }
}

#[tokio::test]
async fn a_refusal_for_good_closes_the_client_and_the_old_worker_hears_it() {
    for (reason, code) in [
        (RefusalReason::Full, 1013),
        (RefusalReason::TooManySessions, 1013),
        (RefusalReason::TooManyGroups, 1013),
        (RefusalReason::Invalid, 1011),
        (RefusalReason::StateInvalid, 1011),
        (RefusalReason::Outdated, 4402),
    ] {
        let (bench, other) = Bench::with_another(|_| {}).await;
        let (mut client, old) = bench.client_and_channel("alice").await;
        other.answer(Answering::Refuse(reason));
        let _lease = bench.hand_over_to(&other).await;
        bench.worker.moves(&[old]).await;
        assert_eq!(client.closed().await.0, code, "{reason:?}");
        assert!(bench.worker.hears_gone_for(old).await.may_resume, "nobody wanted it to end");
        bench.end().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_is_gone_for_all_who_know_it() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (leaving, leaving_channel) = bench.client_and_channel("alice").await;
    let (asking, asking_channel) = bench.client_and_channel("bob").await;
    bench.worker.detach(Detaching::Silence);
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[leaving_channel, asking_channel]).await;
    bench.worker.hears_detach(asking_channel).await;
    bench.worker.tell(Told::Detached(Detached { channel: asking_channel, state: "bob".into() })).await;
    let asked = other.hears_reopen("bob", 0).await.channel;
    drop((leaving, asking));
    for (worker, channel) in
        [(&bench.worker, leaving_channel), (&bench.worker, asking_channel), (&other, asked)]
    {
        let gone = worker.hears_gone_for(channel).await;
        assert_eq!((gone.code, gone.may_resume), (1006, true));
    }
    // What comes too late opens nothing: the next session's open is the only one that follows.
    bench.worker.tell(Told::Detached(Detached { channel: leaving_channel, state: "alice".into() })).await;
    other.tell(Told::Opened(Opened { channel: asked, ..Opened::default() })).await;
    other.answer(Answering::Admit);
    drop(bench.client("carol").await);
    other.hears_open("carol").await;
    let opens = other.heard().into_iter().filter(|said| matches!(said, Said::Open(_))).count();
    assert_eq!(opens, 2, "bob's and carol's");
    bench.end().await;
}

/// A client of `ringway.v1.json`, and its channel.
async fn framed(bench: &Bench, user: &str) -> (Client<TcpStream>, u64) {
    let mut stream = bench.tcp().await;
    let offer = "sec-websocket-protocol: ringway.v1.json\r\n";
    stream.write_all(upgrade(&format!("/ws?token={user}"), offer).as_bytes()).await.expect("sent");
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    let channel = bench.worker.hears_open(user).await.channel;
    (Client(WebSocketStream::from_raw_socket(stream, Role::Client, None).await), channel)
}

#[tokio::test]
async fn a_session_that_may_be_resumed_is_brought_to_its_worker_without_its_client() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (leaving, leaving_channel) = framed(&bench, "alice").await;
    let (mut asking, asking_channel) = framed(&bench, "bob").await;
    bench.worker.detach(Detaching::Silence);
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[leaving_channel, asking_channel]).await;
    bench.worker.hears_detach(asking_channel).await;
    bench.worker.tell(Told::Detached(Detached { channel: asking_channel, state: "bob".into() })).await;
    let bob = other.hears_reopen("bob", 0).await;
    asking.send("the last word").await;
    drop((leaving, asking));
    bench.worker.tell(Told::Detached(Detached { channel: leaving_channel, state: "alice".into() })).await;
    let alice = other.hears_reopen("alice", 0).await;
    assert_eq!(alice.reopen.as_ref().expect("a state").state, "alice");
    for (open, old) in [(alice, leaving_channel), (bob, asking_channel)] {
        other.tell(Told::Opened(Opened { channel: open.channel, ..Opened::default() })).await;
        let gone = other.hears_gone_for(open.channel).await;
        assert_eq!((gone.code, gone.may_resume), (1006, true));
        bench.worker.hears_arrived(old).await;
        let told = bench.worker.heard();
        assert!(!told.iter().any(|said| matches!(said, Said::Gone(gone) if gone.channel == old)), "{told:?}");
    }
    bench.end().await;
}

#[tokio::test]
async fn a_gateway_that_goes_brings_sessions_to_their_workers_first() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (mut client, old) = framed(&bench, "alice").await;
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    let asked = other.hears_reopen("alice", 0).await.channel;
    bench.shutdown.cancel();
    assert!(client.receive_data().await.is_text(), "when to come back");
    assert_eq!(client.closed().await.0, 1001);
    other.tell(Told::Opened(Opened { channel: asked, ..Opened::default() })).await;
    assert!(other.hears_gone_for(asked).await.may_resume);
    bench.worker.hears_arrived(old).await;
    bench.end().await;
}

#[tokio::test]
async fn a_session_that_finds_no_worker_after_its_client_has_gone_is_given_up_in_time() {
    let deadline = Duration::from_millis(200);
    let (bench, other) = Bench::with_another(|moving| moving.reopen_deadline = deadline).await;
    let (client, old) = framed(&bench, "alice").await;
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    let asked = other.hears_reopen("alice", 0).await.channel;
    drop(client);
    assert!(other.hears_gone_for(asked).await.may_resume);
    assert!(bench.worker.hears_gone_for(old).await.may_resume);
    bench.end().await;
}

#[tokio::test]
async fn a_session_that_is_closed_while_it_leaves_is_closed() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    bench.worker.detach(Detaching::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    bench.worker.hears_detach(old).await;
    bench.worker.close(old, 4401, "enough").await;
    assert_eq!(client.closed().await, (4401, "enough".to_owned()));
    assert!(!other.heard().iter().any(|said| matches!(said, Said::Open(_))));
    bench.end().await;
}

#[tokio::test]
async fn a_client_is_not_read_while_too_much_of_it_is_kept() {
    let kept_bytes_max = 64 * 1024;
    let (bench, other) = Bench::with_another(|moving| moving.kept_bytes_max = kept_bytes_max).await;
    let (client, old) = bench.client_and_channel("alice").await;
    other.answer(Answering::Silence);
    other.echo(false);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    let open = other.hears_reopen("alice", 0).await;
    let (mut sink, stream) = futures_util::StreamExt::split(client.0);
    let count = 1024;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        for index in 0..count {
            let message = Message::text(format!("{index:016384}"));
            futures_util::SinkExt::send(&mut sink, message).await.expect("sent");
            counted.store(index + 1, Ordering::Relaxed);
        }
        sink
    });
    // It has begun, and does not go on: however slow the machine is, it would send one more message in a second.
    let mut before = 0;
    while before == 0 || before < sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(before < count, "16 MiB went through a bound of 64 KiB");
    other.tell(Told::Opened(Opened { channel: open.channel, ..Opened::default() })).await;
    let sink = soon("all to be sent", sending).await.expect("all sent");
    hears_message(&other, &format!("{:016384}", count - 1)).await;
    let heard = other.heard_messages(open.channel);
    assert!((0..count).map(|index| format!("{index:016384}")).eq(heard), "all of them, in order");
    drop((sink, stream));
    bench.end().await;
}

#[tokio::test]
async fn a_large_state_goes_in_parts_as_it_came() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (client, old) = bench.client_and_channel("alice").await;
    let part = |byte: u8| vec![byte; 128 * 1024];
    bench.worker.detach(Detaching::With(vec![part(1), part(2), b"last".to_vec()]));
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    let open = other.hears_reopen("alice", 0).await;
    assert_eq!(open.reopen.expect("a state").state, "last");
    let parts: Vec<_> = other
        .heard()
        .into_iter()
        .filter_map(|said| match said {
            Said::StatePart(part) if part.channel == open.channel => Some(part.state),
            _ => None,
        })
        .collect();
    assert_eq!(parts, [part(1), part(2)], "before the open, in order");
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn a_state_that_is_too_large_is_left_behind() {
    let (bench, other) = Bench::with_another(|moving| moving.state_bytes_max = 1000).await;
    let (client, old) = bench.client_and_channel("alice").await;
    bench.worker.detach(Detaching::With(vec![vec![1; 1001], b"last".to_vec()]));
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    let open = other.hears_reopen("alice", 0).await;
    assert_eq!(open.reopen.expect("a state").state, "opened at w1");
    bench.worker.hears_gone(old).await;
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn numbered_messages_have_each_client_their_own_offset_which_goes_along() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (mut alice, first) = bench.client_and_channel("alice").await;
    let (mut bob, second) = bench.client_and_channel("bob").await;
    let numbered = |channels: Vec<u64>, offsets: Vec<u64>, tail: &str| {
        let payload = tail.to_owned().into();
        Told::Deliver(Deliver { channels, payload, kind: PayloadKind::Json.into(), offsets })
    };
    let tail = ",\"type\":\"message\",\"id\":\"m\",\"data\":1}";
    bench.worker.tell(numbered(vec![first, 999, second], vec![7, 8, 10], tail)).await;
    let frame = |offset: u64| ringway_session::frame::numbered(offset, tail);
    assert_eq!(alice.receive_data().await, Message::text(frame(7)));
    assert_eq!(bob.receive_data().await, Message::text(frame(10)));
    assert_eq!(frame(7), "{\"offset\":7,\"type\":\"message\",\"id\":\"m\",\"data\":1}");
    bench.worker.hears_written(first, frame(7).len() as u64 + 64).await;
    bench.worker.hears_written(second, frame(10).len() as u64 + 64).await;

    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[second, first]).await;
    assert_eq!(other.hears_reopen("alice", 0).await.reopen.expect("a state").passed_offset, 7);
    assert_eq!(other.hears_reopen("bob", 0).await.reopen.expect("a state").passed_offset, 10);
    drop((alice, bob));
    bench.end().await;
}

#[tokio::test]
async fn a_numbered_message_that_is_none_closes_its_session() {
    let bench = Bench::start().await;
    for (offsets, kind) in [(vec![1], PayloadKind::Binary), (vec![1, 2], PayloadKind::Json)] {
        let (mut client, channel) = bench.client_and_channel(&format!("user{}", offsets.len())).await;
        let channels = vec![999; offsets.len()].into_iter().chain([channel]).collect();
        let deliver = Deliver { channels, payload: "}".into(), kind: kind.into(), offsets };
        bench.worker.tell(Told::Deliver(deliver)).await;
        assert_eq!(client.closed().await.0, 1011);
    }
    bench.end().await;
}

#[tokio::test]
async fn each_worker_is_told_of_what_it_sent_itself() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    bench.worker.detach(Detaching::Silence);
    let _lease = bench.hand_over_to(&other).await;
    // So much that the socket cannot take it while the client does not read.
    let large = vec![1; 1024 * 1024];
    for _ in 0..16 {
        bench.worker.deliver(&[old], &large, PayloadKind::Binary).await;
    }
    bench.worker.moves(&[old]).await;
    bench.worker.hears_detach(old).await;
    let told = bench.worker.written(old);
    bench.worker.deliver(&[old], &large, PayloadKind::Binary).await;
    bench.worker.tell(Told::Detached(Detached { channel: old, state: "all of it".into() })).await;
    let new = other.hears_reopen("alice", 0).await.channel;
    other.deliver(&[new], b"new", PayloadKind::Text).await;
    for _ in 0..17 {
        assert_eq!(client.receive_data().await.len(), large.len());
    }
    assert_eq!(client.receive_data().await, Message::text("new"));
    other.hears_written(new, 3 + 64).await;
    assert_eq!(bench.worker.written(old), told, "nothing after its detach");
    drop(client);
    bench.end().await;
}
