//! Sessions that change their worker, over real servers; the gateway's part is played by the test.
#![allow(missing_docs, clippy::unwrap_used)]

mod house;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use house::{Gateway, House, text, to_group, to_user, until, within};
use ringway_proto::v1::gateway_frame::Frame as Up;
use ringway_proto::v1::session_target::Target;
use ringway_proto::v1::worker_frame::Frame as Down;
use ringway_proto::v1::{
    Arrived, ClientMessage, CloseSessionsRequest, Deliver, Gone, ListSessionsRequest, Open, Outcome, Receipt,
    Resume, SendToAllRequest, SendToUserRequest, SessionTarget, list_sessions_request::Filter,
};
use ringway_proto::{Reason, Refusal};
use ringway_ring::Slot;
use ringway_session::SessionId;
use tokio::task::JoinHandle;

/// A house of one worker with a session whose user will be w2's once there is a w2.
async fn before_the_change(group: &[&str]) -> (House, Gateway, String, u64) {
    let mut house = House::new(2).await;
    let user = house.key_of("w2", "user");
    house = House::new(1).await;
    let mut gateway = house.gateway("w1").await;
    let channel = gateway.open_ok(&user, group).await;
    (house, gateway, user, channel)
}

fn send(house: &House, request: SendToUserRequest) -> JoinHandle<Receipt> {
    let mut delivery = house.tenant("w2").node.delivery();
    tokio::spawn(async move { delivery.send_to_user(request).await.unwrap().into_inner() })
}

#[tokio::test]
async fn what_is_sent_meanwhile_follows_the_session_in_order() {
    let (mut house, mut gateway, user, channel) = before_the_change(&[]).await;
    house.add("w2", |_| {}).await;
    let early = send(&house, to_user(&user, "1"));
    assert_eq!(gateway.told_to_move().await, [channel]);
    let state = gateway.detach(channel).await;
    let mut new = house.gateway("w2").await;
    let moved = new.bring(&user, state, 0).await;
    let receipt = within(early).await.unwrap();
    assert_eq!((receipt.outcome(), receipt.sessions), (Outcome::Delivered, 1), "it waited for the session");
    // The message may go before the answer or after it: the client has its socket already.
    let frames = [new.next_but_checkpoints().await, new.next_but_checkpoints().await];
    let came = |right: fn(&Down) -> bool| frames.iter().any(right);
    assert!(came(|frame| matches!(frame, Down::Opened(_))), "{frames:?}");
    assert!(came(|frame| matches!(frame, Down::Deliver(deliver) if deliver.payload == "1")), "{frames:?}");
    gateway.say(Up::Arrived(Arrived { channel })).await;
    let receipt = within(send(&house, to_user(&user, "2"))).await.unwrap();
    assert_eq!(receipt.sessions, 1);
    assert_eq!(new.message().await, (vec![moved], "2".to_owned()));
    until(async || house.tenant("w1").worker.sessions() == 0).await;
}

#[tokio::test]
async fn a_group_reaches_a_member_that_is_on_its_way() {
    let (mut house, mut gateway, user, channel) = before_the_change(&["room"]).await;
    house.add("w2", |_| {}).await;
    assert_eq!(gateway.told_to_move().await, [channel]);
    let state = gateway.detach(channel).await;
    let mut delivery = house.tenant("w2").node.delivery();
    let sending = tokio::spawn(async move { delivery.send_to_group(to_group("room", "hi")).await });
    let mut new = house.gateway("w2").await;
    let moved = new.bring(&user, state, 0).await;
    let receipt = within(sending).await.unwrap().unwrap().into_inner();
    assert_eq!((receipt.outcome(), receipt.sessions), (Outcome::Delivered, 1));
    let frames = [new.next_but_checkpoints().await, new.next_but_checkpoints().await];
    let right = |frame: &Down| matches!(frame, Down::Deliver(deliver) if deliver.payload == "hi" && deliver.channels == [moved]);
    assert!(frames.iter().any(right), "{frames:?}");
}

#[tokio::test]
async fn a_user_who_was_never_here_is_told_so_in_the_middle_of_a_change() {
    let (mut house, _gateway, user, _) = before_the_change(&[]).await;
    house.add("w2", |_| {}).await;
    let nobody = house.key_of("w2", "nobody");
    assert_ne!(nobody, user);
    let receipt = within(send(&house, to_user(&nobody, "anyone?"))).await.unwrap();
    assert_eq!(receipt.outcome(), Outcome::NoSession);
}

#[tokio::test]
async fn a_worker_that_drains_gives_everything_away() {
    let mut house = House::new(1).await;
    let mut gateway = house.gateway("w1").await;
    let channel = gateway.open_ok("alice", &[]).await;
    house.add("w2", |_| {}).await;
    let drained = drain(&house, "w1").await;
    assert_eq!(gateway.told_to_move().await, [channel]);
    let state = gateway.detach(channel).await;
    let mut new = house.gateway("w2").await;
    let moved = new.bring("alice", state, 0).await;
    new.opened(moved).await;
    gateway.say(Up::Arrived(Arrived { channel })).await;
    assert_eq!(within(drained).await.unwrap(), 0);
}

#[tokio::test]
async fn a_checkpoint_opens_the_session_again_after_its_worker_has_died() {
    let house = House::new(1).await;
    let mut gateway = house.gateway("w1").await;
    let channel = gateway.open_ok("alice", &["room"]).await;
    house
        .tenant("w1")
        .node
        .sessions()
        .join_group(ringway_proto::v1::JoinGroupRequest {
            target: Some(ringway_proto::v1::SessionTarget {
                target: Some(ringway_proto::v1::session_target::Target::User("alice".into())),
            }),
            group: "late".into(),
            routing: None,
        })
        .await
        .unwrap();
    let Down::Checkpoint(checkpoint) = gateway.next().await else { panic!("no checkpoint") };
    assert_eq!(checkpoint.channel, channel);
    drop(gateway);
    let mut again = house.gateway("w1").await;
    let reopened = again.bring("alice", checkpoint.state, 0).await;
    again.opened(reopened).await;
    for group in ["room", "late"] {
        let answer = house.tenant("w1").node.delivery().send_to_group(to_group(group, group)).await;
        assert_eq!(answer.unwrap().into_inner().sessions, 1);
        assert_eq!(again.message().await, (vec![reopened], group.to_owned()));
    }
}

#[tokio::test]
async fn a_state_that_no_worker_has_made_is_refused() {
    let house = House::new(1).await;
    let mut gateway = house.gateway("w1").await;
    gateway.bring("alice", Bytes::from_static(b"0123456789abcdef and more"), 0).await;
    let Down::Refused(refused) = gateway.next().await else { panic!("not refused") };
    assert_eq!(refused.reason(), ringway_proto::v1::RefusalReason::StateInvalid);
}

/// A client of `ringway.v1.json` on a gateway that the test plays.
struct Framed {
    gateway: Gateway,
    channel: u64,
    welcome: serde_json::Value,
}

impl Framed {
    async fn open(house: &House, user: &str, resume: Option<(&str, u64)>) -> Framed {
        let mut gateway = house.gateway("w1").await;
        let id = SessionId::new(Slot::of(user.as_bytes()), rand::random::<u64>().into());
        let resume = resume.map(|(token, offset)| Resume { token: token.to_owned(), offset, attempt: 0 });
        let open = Open {
            channel: 1,
            session_id: Bytes::copy_from_slice(&id.to_bytes()),
            user: user.into(),
            subprotocols: vec!["ringway.v1.json".into()],
            resume,
            ..Open::default()
        };
        gateway.say(Up::Open(open)).await;
        let (channels, welcome) = gateway.message().await;
        assert_eq!(channels, [1]);
        let welcome = serde_json::from_str(&welcome).unwrap();
        Framed { gateway, channel: 1, welcome }
    }

    async fn numbered(&mut self) -> Vec<u64> {
        match self.gateway.next_but_checkpoints().await {
            Down::Deliver(Deliver { offsets, .. }) => offsets,
            other => panic!("{other:?} came instead of a message"),
        }
    }

    async fn ack(&self, offset: u64) {
        let payload = format!("{{\"type\":\"ack\",\"offset\":{offset}}}").into();
        self.gateway.say(Up::Message(ClientMessage { channel: self.channel, payload, kind: 0 })).await;
    }

    async fn breaks(self) -> String {
        let gone = Gone { channel: self.channel, code: 1006, may_resume: true };
        self.gateway.say(Up::Gone(gone)).await;
        self.welcome["resume"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_broken_socket_resumes_where_it_stopped() {
    let house = House::new(1).await;
    let mut client = Framed::open(&house, "alice", None).await;
    client.gateway.opened(1).await;
    let send = async |content: &str| {
        let request = SendToUserRequest {
            user: "alice".into(),
            message: text(content),
            ..SendToUserRequest::default()
        };
        house.tenant("w1").node.delivery().send_to_user(request).await.unwrap().into_inner()
    };
    for offset in 1..=3 {
        send("x").await;
        assert_eq!(client.numbered().await, [offset]);
    }
    client.ack(1).await;
    let session = client.welcome["session"].clone();
    let token = client.breaks().await;
    let receipt = within(async {
        loop {
            let receipt = send("meanwhile").await;
            if receipt.outcome() == Outcome::Suspended {
                return receipt;
            }
        }
    })
    .await;
    assert_eq!((receipt.sessions, receipt.sessions_suspended), (0, 1));
    let mut again = Framed::open(&house, "alice", Some((&token, 2))).await;
    assert_eq!(again.welcome["recovered"], true);
    assert_eq!(again.welcome["session"], session);
    assert_eq!(again.numbered().await, [3], "what it had not received comes again");
    assert!(again.numbered().await[0] >= 4, "and then what came meanwhile");
    let token = again.breaks().await;
    let ahead = Framed::open(&house, "alice", Some((&token, 1_000))).await;
    assert_eq!(ahead.welcome["recovered"], false, "nobody has ever sent that offset");
    let stranger = Framed::open(&house, "alice", Some(("AAAA", 1))).await;
    assert_eq!(stranger.welcome["recovered"], false);
    assert_ne!(stranger.welcome["session"], session);
}

/// A worker with a session that waits for its client and goes to w2 when there is one; the user, and the resume token.
async fn one_that_waits() -> (House, String, String) {
    let house = House::new(1).await;
    let user = { House::new(2).await.key_of("w2", "framed") };
    let token = Framed::open(&house, &user, None).await.breaks().await;
    until(async || {
        let request = ListSessionsRequest { filter: Some(Filter::User(user.clone())), ..Default::default() };
        let listed = house.tenant("w1").node.sessions().list(request).await.unwrap().into_inner();
        matches!(&*listed.sessions, [session] if session.suspended && session.gateway.is_empty())
    })
    .await;
    (house, user, token)
}

#[tokio::test]
async fn a_session_that_waits_for_its_client_moves_without_a_gateway() {
    let (mut house, elsewhere, token) = one_that_waits().await;
    house.add("w2", |_| {}).await;
    let mut gateway = house.gateway("w2").await;
    let id = SessionId::new(Slot::of(elsewhere.as_bytes()), 9);
    gateway
        .say(Up::Open(Open {
            channel: 7,
            session_id: Bytes::copy_from_slice(&id.to_bytes()),
            user: elsewhere.clone(),
            subprotocols: vec!["ringway.v1.json".into()],
            resume: Some(Resume { token, offset: 0, attempt: 0 }),
            ..Open::default()
        }))
        .await;
    let (_, welcome) = gateway.message().await;
    let welcome: serde_json::Value = serde_json::from_str(&welcome).unwrap();
    assert_eq!(welcome["recovered"], true);
    assert_ne!(welcome["session"], id.to_string());
}

/// Takes a worker off the ring, in order.
async fn drain(house: &House, name: &str) -> JoinHandle<usize> {
    let tenant = house.tenant(name);
    let member = house.views.current().member(tenant.worker.id()).unwrap().clone();
    let draining = ringway_cluster::Member { state: ringway_cluster::MemberState::Draining, ..member };
    tenant.lease.update(draining).await.unwrap();
    let worker = tenant.worker.clone();
    tokio::spawn(async move { worker.drained().await })
}

#[tokio::test]
async fn a_session_whose_owner_does_not_take_it_yet_is_offered_again() {
    let house = House::new(2).await;
    let mut client = Framed::open(&house, &house.key_of("w1", "user"), None).await;
    client.gateway.opened(1).await;
    client.breaks().await;
    // Its owner may act for nobody yet when it is offered first, and looks at its lease ten times in a second.
    let (views, lapsed) = (house.views.clone(), AtomicUsize::new(0));
    let is_drained = move || views.current().owner("anybody").is_some_and(|owner| owner.id.as_str() == "w2");
    house.tenant("w2").worker.act_until(move || {
        let looks = if is_drained() { lapsed.fetch_add(1, Ordering::Relaxed) } else { 0 };
        (looks < 5).then(std::time::Instant::now)
    });
    assert_eq!(within(drain(&house, "w1").await).await.unwrap(), 0);
    assert_eq!(house.tenant("w2").worker.sessions(), 1);
}

#[tokio::test]
async fn a_session_whose_socket_breaks_when_it_is_told_to_move_goes_by_itself() {
    let house = House::new(2).await;
    let mut client = Framed::open(&house, &house.key_of("w1", "user"), None).await;
    client.gateway.opened(1).await;
    let drained = drain(&house, "w1").await;
    assert_eq!(client.gateway.told_to_move().await, [1]);
    client.gateway.say(Up::Gone(Gone { channel: 1, code: 1006, may_resume: true })).await;
    assert_eq!(within(drained).await.unwrap(), 0);
    assert_eq!(house.tenant("w2").worker.sessions(), 1);
}

#[tokio::test]
async fn a_worker_whose_lease_has_run_out_acts_for_nobody() {
    let house = House::with(1, |config| config.arrival_wait_max = Duration::from_millis(50)).await;
    let mut gateway = house.client("alice", &[]).await;
    house.tenant("w1").worker.act_until(|| Some(std::time::Instant::now()));
    let refused = house.tenant("w1").node.delivery().send_to_user(to_user("alice", "hi")).await.unwrap_err();
    assert_eq!(Refusal::from_status(&refused).reason, Reason::NotOwner);
    let (_, answer) = gateway.open("alice", &[]).await;
    assert!(matches!(answer, Down::Refused(_)), "{answer:?}");
    let mut delivery = house.tenant("w1").node.delivery();
    let to_all = SendToAllRequest { message: to_user("alice", "hi").message, routing: None };
    assert_eq!(reason(delivery.send_to_all(to_all).await), Some(Reason::NotOwner));
    let close = CloseSessionsRequest {
        target: Some(SessionTarget { target: Some(Target::User("alice".into())) }),
        code: 4000,
        ..CloseSessionsRequest::default()
    };
    let mut sessions = house.tenant("w1").node.sessions();
    assert_eq!(reason(sessions.close(close).await), Some(Reason::NotOwner));
    assert_eq!(house.tenant("w1").worker.sessions(), 1);
}

fn reason<T>(answer: Result<tonic::Response<T>, tonic::Status>) -> Option<Reason> {
    answer.err().map(|status| Refusal::from_status(&status).reason)
}

#[tokio::test]
async fn what_concerns_a_session_that_does_not_arrive_in_time_is_refused_to_be_asked_again() {
    let (mut house, mut gateway, user, channel) = before_the_change(&["room"]).await;
    house.add("w2", |config| config.arrival_wait_max = Duration::from_millis(50)).await;
    assert_eq!(gateway.told_to_move().await, [channel]);
    let state = gateway.detach(channel).await;
    let node = house.tenant("w2").node.clone();
    let (mut delivery, mut sessions) = (node.delivery(), node.sessions());
    assert_eq!(reason(delivery.send_to_user(to_user(&user, "1")).await), Some(Reason::NotOwner));
    let target = Some(SessionTarget { target: Some(Target::User(user.clone())) });
    let close = CloseSessionsRequest { target, code: 4000, ..CloseSessionsRequest::default() };
    assert_eq!(reason(sessions.close(close).await), Some(Reason::NotOwner));

    let mut new = house.gateway("w2").await;
    let moved = new.bring(&user, state, 0).await;
    new.opened(moved).await;
    let receipt = delivery.send_to_user(to_user(&user, "2")).await.unwrap().into_inner();
    assert_eq!(receipt.sessions, 1);
    assert_eq!(new.message().await, (vec![moved], "2".to_owned()), "the first one was taken back");
}
