//! Sends to users, groups and all, over real gRPC between real workers: receipts, the fence, order.
#![allow(missing_docs, clippy::unwrap_used)]

mod house;

use house::{Gateway, House, forwarded, to_all, to_group, to_user, within};
use ringway_proto::v1::gateway_frame::Frame as Up;
use ringway_proto::v1::publish_reply::Result as Answer;
use ringway_proto::v1::publish_request::Send;
use ringway_proto::v1::worker_frame::Frame as Down;
use ringway_proto::v1::{Outcome, PublishRequest, Receipt, SendToUserRequest, Written};
use ringway_proto::{Reason, Refusal};
use ringway_worker::WorkerConfig;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

fn counts(receipt: &Receipt) -> (Outcome, u32, u32) {
    (receipt.outcome(), receipt.sessions, receipt.sessions_overflowed)
}

#[tokio::test]
async fn a_users_sessions_all_receive_and_the_receipt_counts_them() {
    let house = House::new(3).await;
    let mut phone = house.client("alice", &[]).await;
    let mut laptop = house.client("alice", &[]).await;
    let mut delivery = house.owner("alice").node.delivery();
    let receipt = delivery.send_to_user(to_user("alice", "hi")).await.unwrap().into_inner();
    assert_eq!(counts(&receipt), (Outcome::Delivered, 2, 0));
    assert_eq!(receipt.ring_version, house.views.current().version().as_u64());
    assert_eq!(receipt.message_id.len(), 32);
    assert_eq!(phone.message().await.1, "hi");
    assert_eq!(laptop.message().await.1, "hi");
    let receipt = delivery.send_to_user(to_user(&house.key_of("w1", "nobody"), "hi")).await.unwrap();
    assert_eq!(counts(receipt.get_ref()), (Outcome::NoSession, 0, 0));
}

#[tokio::test]
async fn any_worker_takes_a_call_and_forwards_it_once() {
    let house = House::new(3).await;
    let mut alice = house.client("alice", &["room"]).await;
    let ring_version = house.views.current().version().as_u64();
    for tenant in &house.workers {
        let mut delivery = tenant.node.delivery();
        let user = delivery.send_to_user(to_user("alice", "u")).await.unwrap().into_inner();
        let group = delivery.send_to_group(to_group("room", "g")).await.unwrap().into_inner();
        let all = delivery.send_to_all(to_all("a")).await.unwrap().into_inner();
        for receipt in [user, group, all] {
            assert_eq!(counts(&receipt), (Outcome::Delivered, 1, 0), "{receipt:?}");
            assert_eq!((receipt.ring_version, receipt.workers_unreached.len()), (ring_version, 0));
        }
        assert_eq!(
            [alice.message().await.1, alice.message().await.1, alice.message().await.1],
            ["u", "g", "a"]
        );
    }
}

#[tokio::test]
async fn a_call_that_was_forwarded_to_the_wrong_worker_is_refused() {
    let house = House::new(2).await;
    let mut delivery = house.other("alice").node.delivery();
    let request = SendToUserRequest { routing: forwarded(), ..to_user("alice", "hi") };
    let refusal = Refusal::from_status(&delivery.send_to_user(request).await.unwrap_err());
    assert_eq!(refusal.reason, Reason::NotOwner);
    assert_eq!(refusal.ring_version, Some(house.views.current().version()));
}

#[tokio::test]
async fn a_groups_members_on_every_worker_receive_once_and_others_do_not() {
    let house = House::new(4).await;
    let users: Vec<_> = ["w1", "w2", "w3", "w4"].map(|worker| house.key_of(worker, "user")).into();
    let mut members = Vec::new();
    for user in &users[..3] {
        members.push(house.client(user, &["room"]).await);
    }
    let mut outsider = house.client(&users[3], &["hall"]).await;
    let mut delivery = house.workers[0].node.delivery();
    let receipt = delivery.send_to_group(to_group("room", "hi")).await.unwrap().into_inner();
    assert_eq!(counts(&receipt), (Outcome::Delivered, 3, 0));
    for member in &mut members {
        assert_eq!(member.message().await.1, "hi");
    }
    delivery.send_to_all(to_all("all")).await.unwrap();
    assert_eq!(outsider.message().await.1, "all", "and not the group's message");
    for member in &mut members {
        assert_eq!(member.message().await.1, "all", "and the group's message only once");
    }
}

#[tokio::test]
async fn a_group_is_reachable_as_soon_as_its_member_is_connected() {
    let house = House::new(3).await;
    let mut delivery = house.workers[0].node.delivery();
    for number in 0..50 {
        let (user, group) = (format!("user{number}"), format!("group{number}"));
        let mut client = house.client(&user, &[&group]).await;
        let receipt = delivery.send_to_group(to_group(&group, "hi")).await.unwrap().into_inner();
        assert_eq!(counts(&receipt), (Outcome::Delivered, 1, 0), "{group}");
        assert_eq!(client.message().await.1, "hi");
    }
}

#[tokio::test]
async fn a_home_asks_only_workers_with_members() {
    let house = House::new(4).await;
    let user = house.key_of("w1", "user");
    let group = house.key_of("w2", "group");
    let _client = house.client(&user, &[&group]).await;
    let home = &house.tenant("w2").node;
    within(async {
        loop {
            let before = house.pool.calls_of("ringway.v1.Peer/DeliverLocal");
            home.delivery().send_to_group(to_group(&group, "hi")).await.unwrap();
            match house.pool.calls_of("ringway.v1.Peer/DeliverLocal") - before {
                1 => return,
                // Workers that have not reported yet are asked too: wider for a moment, never silent.
                asked => assert!(asked <= 3),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_cannot_be_asked_is_named() {
    let mut house = House::new(3).await;
    let mut client = house.client(&house.key_of("w1", "user"), &[]).await;
    house.cut("w3").await;
    let mut delivery = house.tenant("w1").node.delivery();
    let receipt = delivery.send_to_all(to_all("hi")).await.unwrap().into_inner();
    assert_eq!(receipt.workers_unreached, ["w3"]);
    assert_eq!(counts(&receipt), (Outcome::Delivered, 1, 0));
    assert_eq!(client.message().await.1, "hi");
}

#[tokio::test]
async fn a_slow_consumer_shows_in_the_receipt() {
    let small = |config: &mut WorkerConfig| {
        config.policy.window_bytes = 65;
        config.policy.queue_bytes_max = 130;
    };
    let house = House::with(1, small).await;
    let mut alice = house.client("alice", &[]).await;
    let mut delivery = house.workers[0].node.delivery();
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let receipt = delivery.send_to_user(to_user("alice", "x")).await.unwrap().into_inner();
        outcomes.push(receipt.outcome());
    }
    use Outcome::{Delivered, NoSession, Overflowed};
    assert_eq!(outcomes, [Delivered, Delivered, Overflowed, NoSession]);
    assert_eq!(alice.message().await.1, "x");
    let Down::Close(close) = alice.next().await else { panic!("the session is not closed") };
    assert_eq!(close.code, 1013);
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let house = House::with(1, |config| config.limits = ringway_rpc::NodeLimits::new(4)).await;
    let mut delivery = house.workers[0].node.delivery();
    let mut refusal = async |request: SendToUserRequest| {
        let refusal = Refusal::from_status(&delivery.send_to_user(request).await.unwrap_err());
        (refusal.reason, refusal.message)
    };
    let (reason, message) = refusal(to_user("alice", "12345")).await;
    assert_eq!(reason, Reason::MessageTooLarge);
    assert!(message.contains('5') && message.contains('4'), "{message}");
    assert_eq!(refusal(to_user("", "x")).await.0, Reason::InvalidArgument);
    assert_eq!(refusal(to_user("a\nb", "x")).await.0, Reason::InvalidArgument);
    let mut not_text = to_user("alice", "");
    not_text.message.as_mut().unwrap().payload = bytes::Bytes::from_static(b"\xff");
    assert_eq!(refusal(not_text).await.0, Reason::InvalidArgument);
    assert_eq!(
        refusal(SendToUserRequest { message: None, ..to_user("alice", "") }).await.0,
        Reason::InvalidArgument
    );
}

/// Publishes to several users through one worker, which owns some of them and forwards the others' messages.
#[tokio::test]
async fn a_publish_stream_keeps_each_users_order_and_answers_everything() {
    const PER_USER: u64 = 500;
    let house = House::new(3).await;
    let users = ["w1", "w2", "w3"].map(|worker| house.key_of(worker, "user"));
    let mut clients: Vec<Gateway> = Vec::new();
    for user in &users {
        clients.push(house.client(user, &[]).await);
    }
    let (requests, receiver) = mpsc::channel(16);
    let mut delivery = house.workers[0].node.delivery();
    let mut replies = delivery.publish(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    let publishing = async {
        for number in 0..PER_USER * 3 {
            let user = &users[(number % 3) as usize];
            let send = Some(Send::ToUser(to_user(user, &(number / 3).to_string())));
            requests.send(PublishRequest { sequence: number, send, turn: 0 }).await.unwrap();
        }
        drop(requests);
    };
    let answering = async {
        let mut answered = std::collections::BTreeSet::new();
        while let Some(reply) = replies.message().await.unwrap() {
            let Some(Answer::Receipt(receipt)) = reply.result else { panic!("{reply:?}") };
            assert_eq!(receipt.outcome(), Outcome::Delivered);
            assert!(answered.insert(reply.sequence), "{} is answered twice", reply.sequence);
        }
        assert_eq!(answered.len() as u64, PER_USER * 3);
    };
    let receiving = async {
        for client in &mut clients {
            for expected in 0..PER_USER {
                assert_eq!(client.message().await.1, expected.to_string());
            }
        }
    };
    within(async { tokio::join!(publishing, answering, receiving) }).await;
}

#[tokio::test]
async fn errors_on_a_publish_stream_leave_it_open() {
    let house = House::new(1).await;
    let (requests, receiver) = mpsc::channel(16);
    for (sequence, send) in
        [None, Some(Send::ToUser(to_user("", "x"))), Some(Send::ToAll(to_all("x")))].into_iter().enumerate()
    {
        requests.send(PublishRequest { sequence: sequence as u64, send, turn: 0 }).await.unwrap();
    }
    let mut delivery = house.workers[0].node.delivery();
    let mut replies = delivery.publish(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    let mut results = Vec::new();
    for _ in 0..3 {
        let reply = within(replies.message()).await.unwrap().unwrap();
        results.push((reply.sequence, matches!(reply.result, Some(Answer::Receipt(_)))));
    }
    assert_eq!(results, [(0, false), (1, false), (2, true)]);
}

/// Messages for many sessions wait at the sessions when their link has no room, and nobody is the worse for it.
#[tokio::test]
async fn concurrent_sends_to_one_link_are_all_delivered() {
    const SENDS: usize = 100;
    const BYTES: usize = 1 << 20;
    let house = House::new(1).await;
    let mut gateway = house.gateway("w1").await;
    for number in 0..SENDS {
        gateway.open_ok(&format!("user{number}"), &[]).await;
    }
    let payload = "x".repeat(BYTES);
    let mut sends = tokio::task::JoinSet::new();
    for number in 0..SENDS {
        let mut delivery = house.workers[0].node.delivery();
        let request = to_user(&format!("user{number}"), &payload);
        sends.spawn(async move { delivery.send_to_user(request).await.unwrap().into_inner().outcome() });
    }
    // The gateway takes nothing until everybody has an answer.
    let outcomes = within(sends.join_all()).await;
    assert_eq!(outcomes, [Outcome::Delivered; SENDS]);
    let mut reached = Vec::new();
    for _ in 0..SENDS {
        let (channels, content) = gateway.message().await;
        assert_eq!(content.len(), BYTES);
        reached.extend(channels);
    }
    reached.sort_unstable();
    assert_eq!(reached, (1..=SENDS as u64).collect::<Vec<_>>());
}

/// The windows of many sessions that open at the same moment are no flood for their link.
#[tokio::test]
async fn many_windows_that_open_at_once_do_not_break_the_link() {
    const MEMBERS: u64 = 400;
    const MESSAGES: usize = 40;
    let house = House::new(1).await;
    let mut gateway = house.gateway("w1").await;
    for number in 0..MEMBERS {
        gateway.open_ok(&format!("user{number}"), &["room"]).await;
    }
    let mut delivery = house.workers[0].node.delivery();
    let payload = "x".repeat(16 << 10);
    for _ in 0..MESSAGES {
        let receipt = delivery.send_to_group(to_group("room", &payload)).await.unwrap().into_inner();
        assert_eq!(counts(&receipt), (Outcome::Delivered, MEMBERS as u32, 0));
    }
    let mut frames = 0;
    let mut received = vec![0; MEMBERS as usize];
    while received.iter().any(|received| *received < MESSAGES) {
        let (channels, _) = gateway.message().await;
        frames += 1;
        let mut reports = Vec::new();
        for channel in channels {
            received[channel as usize - 1] += 1;
            reports.push(Up::Written(Written { channels: vec![channel], bytes: vec![(16 << 10) + 64] }));
        }
        gateway.say_all(reports).await;
    }
    assert!(received.iter().all(|received| *received == MESSAGES));
    assert_eq!(frames, MESSAGES, "a message crosses the link once, also when it had to wait");
}
