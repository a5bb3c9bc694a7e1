//! Opening, showing, closing and grouping sessions, by links and by the Sessions service.
#![allow(missing_docs, clippy::unwrap_used)]

mod house;

use std::time::{Duration, Instant};

use bytes::Bytes;
use house::{Gateway, House, batch, to_group, to_user, within};
use ringway_proto::v1::gateway_frame::Frame as Up;
use ringway_proto::v1::list_sessions_request::Filter;
use ringway_proto::v1::session_target::Target;
use ringway_proto::v1::worker_frame::Frame as Down;
use ringway_proto::v1::{
    ClientMessage, CloseSessionsRequest, GetSessionRequest, Gone, Hello, JoinGroupRequest, LeaveGroupRequest,
    ListSessionsRequest, Open, Outcome, PayloadKind, RefusalReason, SessionTarget,
};
use ringway_proto::{LINK_PROTOCOL, Reason, Refusal};
use ringway_rpc::NodeChannel;
use ringway_session::{OnConflict, SessionId};
use ringway_worker::OnClientMessage;

fn user(name: &str) -> Option<SessionTarget> {
    Some(SessionTarget { target: Some(Target::User(name.into())) })
}

fn session(id: SessionId) -> Option<SessionTarget> {
    Some(SessionTarget { target: Some(Target::SessionId(id.to_string())) })
}

async fn total(node: &NodeChannel, filter: Option<Filter>) -> u64 {
    let request = ListSessionsRequest { filter, ..Default::default() };
    let listed = node.sessions().list(request).await.unwrap().into_inner();
    assert_eq!(listed.workers_unreached, [""; 0]);
    listed.total
}

fn refusal(answer: &Down) -> RefusalReason {
    match answer {
        Down::Refused(refused) => refused.reason(),
        other => panic!("{other:?} is no refusal"),
    }
}

#[tokio::test]
async fn a_session_is_opened_only_at_its_owner() {
    let house = House::new(2).await;
    let mut wrong = house.gateway(house.other("alice").worker.id().as_str()).await;
    let (_, answer) = wrong.open("alice", &[]).await;
    assert_eq!(refusal(&answer), RefusalReason::NotOwner);
    let mut right = house.gateway(house.owner("alice").worker.id().as_str()).await;
    right.open_ok("alice", &[]).await;
}

#[tokio::test]
async fn an_open_frame_that_breaks_a_rule_is_refused() {
    let house = House::with(1, |config| config.policy.groups_per_session_max = 1).await;
    let mut gateway = house.gateway("w1").await;
    let (_, answer) = gateway.open("alice", &["a", "b"]).await;
    assert_eq!(refusal(&answer), RefusalReason::TooManyGroups);
    let (_, answer) = gateway.open("a\u{7}", &[]).await;
    assert_eq!(refusal(&answer), RefusalReason::Invalid);
    let open =
        Open { channel: 99, session_id: Bytes::from_static(b"short"), user: "bob".into(), ..Open::default() };
    gateway.say(Up::Open(open)).await;
    assert_eq!(refusal(&gateway.next().await), RefusalReason::Invalid);
    assert_eq!(total(&house.workers[0].node, None).await, 0);
}

#[tokio::test]
async fn the_first_subprotocol_that_is_spoken_here_is_chosen() {
    let house = House::new(1).await;
    let mut gateway = house.gateway("w1").await;
    let open = Open {
        channel: 7,
        session_id: Bytes::from_static(&[0; 16]),
        user: "alice".into(),
        subprotocols: vec!["mqtt".into(), "ringway.raw".into()],
        ..Open::default()
    };
    gateway.say(Up::Open(open)).await;
    let Down::Opened(opened) = gateway.next().await else { panic!("no Opened") };
    assert_eq!(opened.subprotocol, "ringway.raw");
}

#[tokio::test]
async fn the_newest_session_replaces_the_oldest_if_the_policy_says_so() {
    let house = House::with(1, |config| config.policy.per_user = Some((1, OnConflict::ReplaceOldest))).await;
    let mut first = house.client("alice", &[]).await;
    let mut second = house.client("alice", &[]).await;
    let Down::Close(close) = first.next().await else { panic!("the first session goes on") };
    assert_eq!(close.code, 4400);
    house.workers[0].node.delivery().send_to_user(to_user("alice", "hi")).await.unwrap();
    assert_eq!(second.message().await.1, "hi");
}

#[tokio::test]
async fn one_session_too_many_is_refused_if_the_policy_says_so() {
    let house = House::with(1, |config| config.policy.per_user = Some((1, OnConflict::Refuse))).await;
    let mut gateway = house.client("alice", &[]).await;
    let (_, answer) = gateway.open("alice", &[]).await;
    assert_eq!(refusal(&answer), RefusalReason::TooManySessions);
}

#[tokio::test]
async fn sessions_are_found_by_id_user_and_group_from_any_worker() {
    let house = House::new(3).await;
    let alice = house.client("alice", &["room"]).await;
    let _bob = house.client("bob", &["room", "hall"]).await;
    let id = alice.sessions[&1];
    for tenant in &house.workers {
        let node = &tenant.node;
        assert_eq!(total(node, None).await, 2);
        assert_eq!(total(node, Some(Filter::User("alice".into()))).await, 1);
        assert_eq!(total(node, Some(Filter::Group("room".into()))).await, 2);
        assert_eq!(total(node, Some(Filter::Group("hall".into()))).await, 1);
        let request = GetSessionRequest { session_id: id.to_string(), routing: None };
        let shown = node.sessions().get(request).await.unwrap().into_inner();
        assert_eq!((shown.user.as_str(), shown.gateway.as_str()), ("alice", "g1"));
        assert_eq!(shown.worker, house.owner("alice").worker.id().as_str());
    }
    let unknown = GetSessionRequest { session_id: "0".repeat(32), routing: None };
    let status = house.workers[0].node.sessions().get(unknown).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).reason, Reason::SessionNotFound);
}

#[tokio::test]
async fn closing_tells_the_client_and_forgets_the_session() {
    let house = House::new(3).await;
    let mut first = house.client("alice", &[]).await;
    let mut second = house.client("alice", &[]).await;
    let mut sessions = house.other("alice").node.sessions();
    let one = CloseSessionsRequest {
        target: session(first.sessions[&1]),
        code: 4999,
        reason: "bye".into(),
        routing: None,
    };
    assert_eq!(sessions.close(one.clone()).await.unwrap().into_inner().sessions, 1);
    let Down::Close(close) = first.next().await else { panic!("the first session goes on") };
    assert_eq!((close.code, close.reason.as_str()), (4999, "bye"));
    let again = sessions.close(one).await.unwrap_err();
    assert_eq!(Refusal::from_status(&again).reason, Reason::SessionNotFound);
    let all = CloseSessionsRequest { target: user("alice"), ..Default::default() };
    assert_eq!(sessions.close(all.clone()).await.unwrap().into_inner().sessions, 1);
    let Down::Close(close) = second.next().await else { panic!("the second session goes on") };
    assert_eq!(close.code, 4401);
    assert_eq!(sessions.close(all).await.unwrap().into_inner().sessions, 0);
}

#[tokio::test]
async fn a_group_joined_by_the_api_is_reachable_at_once_and_left_at_once() {
    let house = House::new(3).await;
    let mut alice = house.client("alice", &[]).await;
    let node = &house.other("alice").node;
    let join = JoinGroupRequest { target: user("alice"), group: "room".into(), routing: None };
    assert_eq!(node.sessions().join_group(join).await.unwrap().into_inner().sessions, 1);
    let receipt = node.delivery().send_to_group(to_group("room", "hi")).await.unwrap().into_inner();
    assert_eq!(receipt.sessions, 1);
    assert_eq!(alice.message().await.1, "hi");
    let leave =
        LeaveGroupRequest { target: session(alice.sessions[&1]), group: "room".into(), routing: None };
    assert_eq!(node.sessions().leave_group(leave).await.unwrap().into_inner().sessions, 1);
    let receipt = node.delivery().send_to_group(to_group("room", "hi")).await.unwrap().into_inner();
    assert_eq!(receipt.outcome(), Outcome::NoSession);
}

#[tokio::test]
async fn an_echoing_worker_sends_back_what_came() {
    let house = House::with(1, |config| config.on_client_message = OnClientMessage::Echo).await;
    let mut gateway = house.client("alice", &[]).await;
    for (kind, payload) in [(PayloadKind::Text, &b"text"[..]), (PayloadKind::Binary, b"\xff\x00")] {
        let payload = Bytes::from_static(payload);
        let message = ClientMessage { channel: 1, payload: payload.clone(), kind: kind.into() };
        gateway.say(Up::Message(message)).await;
        let Down::Deliver(echo) = gateway.next().await else { panic!("no echo") };
        assert_eq!((echo.kind(), &echo.payload, echo.channels), (kind, &payload, vec![1]));
    }
}

#[tokio::test]
async fn a_gone_client_or_link_leaves_nothing_behind() {
    let house = House::with(1, |config| config.moves.reopen_window = Duration::from_millis(200)).await;
    let node = &house.workers[0].node;
    let mut gateway = house.client("alice", &["room"]).await;
    let channel = gateway.open_ok("bob", &["room"]).await;
    gateway.say(Up::Gone(Gone { channel, code: 1006, may_resume: false })).await;
    within(async { while total(node, None).await != 1 {} }).await;
    drop(gateway);
    within(async { while total(node, None).await != 0 {} }).await;
    assert_eq!(total(node, Some(Filter::Group("room".into()))).await, 0);
}

#[tokio::test]
async fn a_leaving_worker_closes_its_sessions_and_takes_no_new_ones() {
    let house = House::new(1).await;
    let mut gateway = house.client("alice", &[]).await;
    let mut late = Gateway::attach(&house.workers[0].worker).await;
    house.workers[0].stop.cancel();
    let Down::Close(close) = gateway.next().await else { panic!("the session goes on") };
    assert_eq!(close.code, 1012);
    assert!(within(gateway.try_next()).await.is_none(), "the link ends after its last frame");
    assert!(within(late.try_next()).await.is_none());
    let hello = Up::Hello(Hello { gateway_id: "g1".into(), protocol: LINK_PROTOCOL });
    let frames = tokio_stream::iter([batch([hello])]);
    let refused = house.workers[0].worker.attach(frames).await.err().expect("no link is taken any more");
    assert_eq!(refused.reason, Reason::Draining);
    let status = house.workers[0].node.delivery().send_to_user(to_user("alice", "hi")).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).reason, Reason::Draining);
}

/// The 101 tells the client that its groups' messages come by; so it waits until the home knows, or gives up waiting.
#[tokio::test]
async fn a_handshake_waits_for_its_groups_homes_for_a_bounded_time() {
    const PATIENCE: Duration = Duration::from_millis(500);
    let mut house = House::with(2, |config| config.settle_timeout = PATIENCE).await;
    let (user, group) = (house.key_of("w1", "user"), house.key_of("w2", "group"));
    house.cut("w2").await;
    let mut gateway = house.gateway("w1").await;
    let started = Instant::now();
    gateway.open_ok(&user, &[&group]).await;
    assert!(started.elapsed() >= PATIENCE, "the home cannot know of the group, and nobody waited for it");
    for number in 0..20 {
        gateway.open_ok(&house.key_of("w1", &format!("other{number}-")), &[&group]).await;
    }
    assert!(started.elapsed() < PATIENCE * 10, "each handshake waits again for the same absent worker");
}

#[tokio::test]
async fn a_worker_tells_its_numbers() {
    let house = House::new(1).await;
    let (worker, node) = (&house.tenant("w1").worker, &house.tenant("w1").node);
    let mut gateway = house.client("alice", &["tea"]).await;
    gateway.open_ok("bob", &[]).await;
    let receipt = node.delivery().send_to_user(to_user("alice", "hello")).await.unwrap().into_inner();
    assert_eq!(receipt.outcome(), Outcome::Delivered);
    node.delivery().send_to_group(to_group("tea", "hot")).await.unwrap();
    gateway.message().await;
    gateway.message().await;
    gateway.say(Up::Message(ClientMessage { channel: 1, ..Default::default() })).await;
    house::until(async || worker.status().client_messages > 0).await;

    let status = worker.status();
    assert_eq!((status.worker.as_str(), status.incarnation > 0), ("w1", true));
    assert_eq!((status.sessions, status.users, status.groups), (2, 2, 1));
    assert_eq!((status.messages, status.deliveries, status.delivered_bytes), (2, 2, 8));
    assert_eq!((status.overflows, status.sessions_left, status.sessions_arrived), (0, 0, 0));
    let shares: Vec<u64> = status.gateways.iter().map(|gateway| gateway.sessions).collect();
    assert_eq!(shares, [2]);
    let slowest: Vec<_> = status.slowest.iter().map(|session| session.user.as_str()).collect();
    assert_eq!(slowest, ["alice"], "she has not been written what was sent to her");
}
