//! Sessions that have lost their worker: broken links, workers that do not answer, workers that have left the view.

mod support;

use std::time::Duration;

use ringway_cluster::Lease;
use ringway_gateway::Routing;
use ringway_proto::v1::gateway_frame::Frame as Said;
use ringway_proto::v1::worker_frame::Frame as Told;
use ringway_proto::v1::{Checkpoint, Deliver, Detached, Opened, PayloadKind, RefusalReason};
use ringway_ring::MemberId;
use support::{Answering, Bench, Client, DEADLINE, Detaching, FakeWorker, soon};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

async fn echoes(client: &mut Client<TcpStream>, text: &str) {
    client.send(text).await;
    assert_eq!(client.receive_data().await, Message::text(text));
}

#[tokio::test]
async fn a_broken_link_s_sessions_are_opened_again_where_they_belong() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    bench.worker.tell(Told::Checkpoint(Checkpoint { channel: old, state: "a later state".into() })).await;
    let deliver = Deliver {
        channels: vec![old],
        payload: "}".into(),
        kind: PayloadKind::Json.into(),
        offsets: vec![17],
    };
    bench.worker.tell(Told::Deliver(deliver)).await;
    client.receive_data().await;
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.refuse_links();
    bench.worker.cut();
    let reopen = other.hears_reopen("alice", 0).await.reopen.expect("a state");
    assert_eq!((reopen.state.as_ref(), reopen.passed_offset), (&b"a later state"[..], 17));
    echoes(&mut client, "still here").await;
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn what_a_client_sends_while_its_link_is_down_is_not_lost() {
    let bench = Bench::start().await;
    let mut client = bench.client("alice").await;
    bench.worker.answer(Answering::Silence);
    bench.worker.cut();
    let channel = bench.worker.hears_reopen("alice", 0).await.channel;
    for index in 0..10 {
        client.send(format!("message {index}")).await;
    }
    bench.worker.tell(Told::Opened(Opened { channel, ..Opened::default() })).await;
    for index in 0..10 {
        assert_eq!(client.receive_data().await, Message::text(format!("message {index}")));
    }
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn many_sessions_are_opened_again_a_few_at_a_time_each_once() {
    let opens_max = 3;
    let (bench, other) = Bench::with_another(|moving| {
        moving.opens_max = opens_max;
        moving.open_patience = 2 * DEADLINE;
    })
    .await;
    let mut clients = Vec::new();
    for index in 0..20 {
        clients.push(bench.client(&format!("user{index}")).await);
    }
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.refuse_links();
    bench.worker.cut();
    let mut answered = 0;
    while answered < clients.len() as u64 {
        other.hears_as_many_opens(opens_max.min(clients.len() - answered as usize) + answered as usize).await;
        answered += 1;
        let state = "opened at w2".into();
        other.tell(Told::Opened(Opened { channel: answered, state, ..Opened::default() })).await;
    }
    for (index, client) in clients.iter_mut().enumerate() {
        echoes(client, &format!("client {index}")).await;
    }
    let opens = other.heard().iter().filter(|said| matches!(said, Said::Open(_))).count();
    assert_eq!(opens, clients.len());
    drop(clients);
    bench.end().await;
}

#[tokio::test]
async fn a_worker_that_takes_its_time_is_waited_for_while_its_link_lives() {
    let short = Duration::from_millis(100);
    let (bench, other) = Bench::with_another(|moving| moving.detach_timeout = short).await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    bench.worker.detach(Detaching::Silence);
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    bench.worker.hears_detach(old).await;
    // Nothing happens for so long that there is nothing to wait for but time.
    tokio::time::sleep(10 * short).await;
    bench.worker.deliver(&[old], b"still from here", PayloadKind::Text).await;
    assert_eq!(client.receive_data().await, Message::text("still from here"));
    bench.worker.tell(Told::Detached(Detached { channel: old, state: "all of it".into() })).await;
    let open = other.hears_reopen("alice", 0).await;
    assert_eq!(open.reopen.expect("a state").state, "all of it");
    tokio::time::sleep(10 * short).await;
    other.tell(Told::Opened(Opened { channel: open.channel, ..Opened::default() })).await;
    bench.worker.hears_arrived(old).await;
    echoes(&mut client, "still here").await;
    let opens = other.heard().into_iter().filter(|said| matches!(said, Said::Open(_))).count();
    assert_eq!(opens, 1);
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn questions_that_are_not_answered_do_not_hold_up_others_for_ever() {
    let change = |moving: &mut ringway_gateway::MovingConfig| {
        (moving.opens_max, moving.open_patience) = (1, Duration::from_millis(100));
    };
    let (bench, other) = Bench::with_another(change).await;
    let (mut alice, first) = bench.client_and_channel("alice").await;
    let (mut bob, second) = bench.client_and_channel("bob").await;
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[first]).await;
    let asked = other.hears_reopen("alice", 0).await.channel;
    other.answer(Answering::Admit);
    bench.worker.moves(&[second]).await;
    echoes(&mut bob, "hello").await;
    other.tell(Told::Opened(Opened { channel: asked, ..Opened::default() })).await;
    echoes(&mut alice, "it was waited for").await;
    drop((alice, bob));
    bench.end().await;
}

#[tokio::test]
async fn a_worker_that_never_lets_go_keeps_the_session_for_its_client() {
    let deadline = Duration::from_millis(200);
    let (bench, other) = Bench::with_another(|moving| moving.reopen_deadline = deadline).await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    bench.worker.detach(Detaching::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    assert_eq!(client.closed().await.0, 1012);
    assert!(bench.worker.hears_gone_for(old).await.may_resume);
    assert!(!other.heard().iter().any(|said| matches!(said, Said::Open(_))));
    bench.end().await;
}

#[tokio::test]
async fn a_session_that_finds_no_worker_in_time_is_told_to_reconnect() {
    let deadline = Duration::from_millis(200);
    for answering in [Answering::Silence, Answering::Refuse(RefusalReason::NotOwner)] {
        let (bench, other) = Bench::with_another(|moving| moving.reopen_deadline = deadline).await;
        let (mut client, old) = bench.client_and_channel("alice").await;
        other.answer(answering.clone());
        let _lease = bench.hand_over_to(&other).await;
        bench.worker.moves(&[old]).await;
        let asked = other.hears_reopen("alice", 0).await.channel;
        assert_eq!(client.closed().await.0, 1012, "{answering:?}");
        assert!(bench.worker.hears_gone_for(old).await.may_resume);
        if let Answering::Silence = answering {
            assert!(other.hears_gone_for(asked).await.may_resume);
        }
        bench.end().await;
    }
}

#[tokio::test]
async fn a_worker_that_takes_clients_itself_sends_those_that_move_away() {
    let other = FakeWorker::new("w2");
    let bench = Bench::with(|setup| {
        setup.config.routing = Routing::OnlyHere(MemberId::new("w1").expect("an id"));
        setup.others = vec![other.clone()];
    })
    .await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[channel]).await;
    assert_eq!(client.closed().await.0, 1012, "where to is said at the next handshake");
    assert!(bench.worker.hears_gone_for(channel).await.may_resume);
    let asked_to_let_go = bench.worker.heard().iter().any(|said| matches!(said, Said::Detach(_)));
    assert!(!asked_to_let_go, "nobody would take what it lets go");
    bench.end().await;
}

#[tokio::test]
async fn a_session_without_any_owner_is_told_to_reconnect_in_time() {
    let bench = Bench::with(|setup| setup.config.moving.reopen_deadline = Duration::from_millis(200)).await;
    let mut client = bench.client("alice").await;
    bench.worker.refuse_links();
    bench.worker.cut();
    assert_eq!(client.closed().await.0, 1012);
    bench.end().await;
}

/// The worker leaves the view while its link is up, with this many sessions, and another has its users.
struct Retired {
    bench: Bench,
    other: FakeWorker,
    clients: Vec<Client<TcpStream>>,
    _lease: Box<dyn Lease>,
}

impl Retired {
    async fn with(sessions: usize, detach_timeout: Duration, prepare: impl FnOnce(&FakeWorker)) -> Self {
        let (mut bench, other) = Bench::with_another(|moving| {
            moving.retire_wait = Duration::from_millis(50);
            moving.detach_timeout = detach_timeout;
            moving.opens_max = 2;
        })
        .await;
        let mut clients = Vec::new();
        for index in 0..sessions {
            clients.push(bench.client(&format!("user{index}")).await);
        }
        prepare(&bench.worker);
        let lease = bench.hand_over_to(&other).await;
        bench.leave().await;
        Self { bench, other, clients, _lease: lease }
    }

    async fn reopen_with(&self, state: &str) {
        for index in 0..self.clients.len() {
            let reopen = self.other.hears_reopen(&format!("user{index}"), 0).await.reopen;
            assert_eq!(reopen.expect("a state").state, state);
        }
    }
}

#[tokio::test]
async fn a_worker_that_has_left_the_view_has_its_sessions_taken_away() {
    let retired = Retired::with(5, 2 * DEADLINE, |_| {}).await;
    retired.reopen_with("detached from w1").await;
    soon("the link's end", retired.bench.worker.left()).await;
    retired.bench.end().await;
}

#[tokio::test]
async fn a_stopped_worker_that_has_left_the_view_is_given_up_with_all_its_sessions() {
    let timeout = Duration::from_secs(2);
    let stop = |worker: &FakeWorker| {
        // It has begun to wait for a batch already, and takes that one.
        worker.detach(Detaching::Silence);
        worker.listen(false);
    };
    let retired = Retired::with(50, timeout, stop).await;
    // Two may be asked for at once: two after each other would take 25 times as long as one.
    let given_up = tokio::time::timeout(timeout * 12, retired.reopen_with("opened at w1")).await;
    assert!(given_up.is_ok(), "they are given up one after the other");
    retired.bench.worker.listen(true);
    soon("the link's end", retired.bench.worker.left()).await;
    retired.bench.end().await;
}

#[tokio::test]
async fn sessions_without_a_worker_are_told_too_when_the_gateway_goes() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    let asked = other.hears_reopen("alice", 0).await.channel;
    bench.shutdown.cancel();
    assert_eq!(client.closed().await.0, 1001);
    assert!(other.hears_gone_for(asked).await.may_resume);
    assert!(bench.worker.hears_gone_for(old).await.may_resume);
    bench.end().await;
}

#[tokio::test]
async fn sessions_that_wait_for_their_turn_are_told_too_when_the_gateway_goes() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    // Never asked for long: it rests between one try and the next.
    other.answer(Answering::Refuse(RefusalReason::NotOwner));
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    let first = other.hears_reopen("alice", 0).await.channel;
    other.hears_reopen("alice", first).await;
    bench.shutdown.cancel();
    assert_eq!(client.closed().await.0, 1001);
    assert!(bench.worker.hears_gone_for(old).await.may_resume);
    bench.end().await;
}

#[tokio::test]
async fn a_session_that_its_worker_lets_go_unasked_is_opened_again() {
    let bench = Bench::start().await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    bench.worker.tell(Told::Detached(Detached { channel: old, state: "of no worth".into() })).await;
    let reopen = bench.worker.hears_reopen("alice", old).await.reopen.expect("a state");
    assert_eq!(reopen.state, "opened at w1");
    echoes(&mut client, "still here").await;
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn a_gateway_that_is_dropped_leaves_nobody_waiting_for_a_worker() {
    let (bench, other) = Bench::with_another(|_| {}).await;
    let (mut client, old) = bench.client_and_channel("alice").await;
    let mut settled = bench.client("bob").await;
    other.answer(Answering::Silence);
    let _lease = bench.hand_over_to(&other).await;
    bench.worker.moves(&[old]).await;
    other.hears_reopen("alice", 0).await;
    bench.gateway.abort();
    assert_eq!(client.closed().await.0, 1012);
    assert_eq!(settled.closed().await.0, 1012);
}
