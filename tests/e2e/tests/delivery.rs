//! Messages arrive: at the right sessions, in order, byte for byte; and the receipt says so.

use std::time::Duration;

use bytes::Bytes;
use ringway_e2e::{Client, Cluster};
use ringway_proto::{Reason, Refusal, v1};
use ringway_sender::{Outcome, Payload, Sender, SessionFilter, SessionTarget, UserId};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

const MEBIBYTE: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_a_user_reaches_all_its_sessions_and_nobody_else() {
    let cluster = Cluster::builder().workers(3).gateways(2).start().await;
    let sender = cluster.sender().await;
    let mut alice = [
        Client::connect(cluster.gateways[0].clients(), "alice").await,
        Client::connect(cluster.gateways[1].clients(), "alice").await,
    ];
    let mut bob = cluster.client("bob").await;

    let receipt = sender.send_to_user("alice", "hello").message_id("m-1").await.expect("it is taken");
    assert_eq!(
        (receipt.outcome, receipt.sessions, receipt.message_id.as_str()),
        (Outcome::Delivered, 2, "m-1")
    );
    let nobody = sender.send_to_user("carol", "hello").await.expect("it is taken");
    assert_eq!((nobody.outcome, nobody.sessions), (Outcome::NoSession, 0));
    sender.send_to_user("bob", "only bob").await.expect("it is taken");
    for client in &mut alice {
        assert_eq!(client.text().await, "hello");
    }
    assert_eq!(bob.text().await, "only bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_all_reaches_every_session() {
    let cluster = Cluster::builder().workers(3).gateways(2).start().await;
    let mut clients = Vec::new();
    for number in 0..30 {
        let gateway = &cluster.gateways[number % 2];
        clients.push(Client::connect(gateway.clients(), &format!("user{number}")).await);
    }
    let receipt = cluster.sender().await.send_to_all("to all").await.expect("it is taken");
    assert_eq!((receipt.outcome, receipt.sessions), (Outcome::Delivered, 30), "{receipt:?}");
    assert!(receipt.workers_unreached.is_empty());
    for client in &mut clients {
        assert_eq!(client.text().await, "to all");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_session_is_passed_over() {
    let cluster = Cluster::start(1).await;
    let sender = cluster.sender().await;
    let mut first = cluster.client("alice").await;
    let user = SessionFilter::User(UserId::new("alice").expect("a good name"));
    let listed = sender.list_sessions(&user, 0).await.expect("it is listed").sessions;
    let id = listed[0].id.parse().expect("a session id");
    let mut second = cluster.client("alice").await;
    let receipt =
        sender.send_to_user("alice", "for the other").exclude_sessions([id]).await.expect("it is taken");
    assert_eq!(receipt.sessions, 1);
    sender.send_to_user("alice", "for both").await.expect("it is taken");
    assert_eq!(
        (second.text().await, second.text().await),
        ("for the other".to_owned(), "for both".to_owned())
    );
    assert_eq!(first.text().await, "for both");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_sender_to_one_user_arrive_in_order() {
    const MESSAGES: usize = 3_000;
    let cluster = Cluster::builder().workers(3).start().await;
    let sender = cluster.sender().await;
    let users = ["alice", "bob", "carol", "dave"];
    let mut clients = Vec::new();
    for user in users {
        clients.push(cluster.client(user).await);
    }
    let publishing = tokio::spawn(async move {
        let mut tickets = Vec::new();
        for number in 0..MESSAGES {
            for user in users {
                tickets.push(
                    sender.send_to_user(user, number.to_string()).publish().await.expect("it is taken"),
                );
            }
        }
        for ticket in tickets {
            assert_eq!(ticket.await.expect("it is answered").outcome, Outcome::Delivered);
        }
        for number in MESSAGES..MESSAGES + 100 {
            for user in users {
                sender.send_to_user(user, number.to_string()).await.expect("it is taken");
            }
        }
    });
    for (client, user) in clients.iter_mut().zip(users) {
        for number in 0..MESSAGES + 100 {
            assert_eq!(client.text().await, number.to_string(), "{user}");
        }
    }
    publishing.await.expect("all were published");
}

/// What arrives at a client that is called alice.
async fn delivered(sender: &Sender, alice: &mut Client, payload: Payload) -> Message {
    let receipt = sender.send_to_user("alice", payload).await.expect("it is taken");
    assert_eq!(receipt.outcome, Outcome::Delivered);
    alice.receive().await
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_of_every_size_arrive_byte_for_byte_both_ways() {
    let cluster = Cluster::builder().worker_arguments(&["--echo"]).start().await;
    let sender = cluster.sender().await;
    let mut alice = cluster.client("alice").await;
    for size in [0, 1, 125, 126, 65_535, 65_536, 65_537, MEBIBYTE] {
        let bytes: Bytes = (0..size).map(|at| (at * 31 % 256) as u8).collect();
        let text: String = "aß水🦀"
            .chars()
            .cycle()
            .scan(0, |length, c| {
                *length += c.len_utf8();
                (*length <= size).then_some(c)
            })
            .collect();
        for message in [Message::binary(bytes.clone()), Message::text(text.clone())] {
            alice.send(message.clone()).await;
            assert!(alice.receive().await == message, "{size} bytes came back changed");
        }
        let (binary, plain) = (Payload::binary(bytes.clone()), Payload::text(text.clone()));
        assert!(
            delivered(&sender, &mut alice, binary).await == Message::binary(bytes),
            "{size} bytes were changed"
        );
        assert!(
            delivered(&sender, &mut alice, plain).await == Message::text(text),
            "{size} bytes of text were changed"
        );
    }
    alice.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn larger_payloads_than_allowed_are_refused_on_either_side() {
    let mut cluster = Cluster::builder().worker_arguments(&["--echo"]).start().await;
    let sender = cluster.sender().await;
    let mut alice = cluster.client("alice").await;
    let refused = sender.send_to_user("alice", vec![0; MEBIBYTE + 1]).await.expect_err("it is too large");
    assert_eq!((refused.reason(), refused.maybe_delivered()), (Reason::MessageTooLarge, false));
    assert!(refused.to_string().contains("1048576"), "{refused} does not say what would be right");

    let pool = cluster.pool();
    for node in cluster.nodes() {
        for size in [MEBIBYTE + 1, 3 * MEBIBYTE] {
            // A client that has no bounds of its own, as those of other languages.
            let transport = pool.node(&node.url()).transport();
            let mut client = v1::delivery_client::DeliveryClient::new(transport);
            let message = v1::Message { payload: vec![0; size].into(), kind: 1, ..v1::Message::default() };
            let request = v1::SendToUserRequest {
                user: "alice".to_owned(),
                message: Some(message),
                ..v1::SendToUserRequest::default()
            };
            let status = client.send_to_user(request).await.expect_err("it is too large");
            assert!(
                Refusal::from_status(&status).reason.retry() == ringway_proto::Retry::Never,
                "{status:?}"
            );
        }
    }
    alice.send(Message::binary(vec![0; MEBIBYTE + 1])).await;
    let (code, reason) = alice.closed().await;
    assert_eq!(code, 1009, "{reason}");
    cluster.client("alice").await.close().await;
    cluster.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_no_utf8_is_refused_on_either_side() {
    let mut cluster = Cluster::builder().worker_arguments(&["--echo"]).start().await;
    let sender = cluster.sender().await;
    let mut alice = cluster.client("alice").await;
    let broken = Bytes::from_static(b"ab\xff");
    let refused =
        sender.send_to_user("alice", Payload::text_bytes(broken.clone())).await.expect_err("it is broken");
    assert_eq!(refused.reason(), Reason::InvalidArgument);
    alice.send(Message::Frame(Frame::message(broken, OpCode::Data(Data::Text), true))).await;
    assert_eq!(alice.closed().await.0, 1007);
    cluster.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_client_may_call_any_node() {
    let cluster = Cluster::builder().workers(3).start().await;
    let mut alice = cluster.client("alice").await;
    for node in cluster.workers.iter().chain(&cluster.gateways) {
        let message = v1::Message { payload: "any node".into(), ..v1::Message::default() };
        let request = v1::SendToUserRequest {
            user: "alice".to_owned(),
            message: Some(message),
            ..v1::SendToUserRequest::default()
        };
        let receipt = cluster.pool().node(&node.url()).delivery().send_to_user(request).await;
        let receipt = receipt.expect("it is taken").into_inner();
        assert_eq!((receipt.outcome(), receipt.sessions), (v1::Outcome::Delivered, 1));
        assert_eq!(receipt.message_id.len(), 32, "the first node makes an id");
        assert_eq!(alice.text().await, "any node");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_closed_and_the_others_go_on() {
    let config = "[sessions]\nqueue_bytes_max = \"256KiB\"\n[limits]\nmessage_bytes_max = \"64KiB\"";
    let cluster = Cluster::builder().config(config).start().await;
    let sender = cluster.sender().await;
    let slow = cluster.client("slow").await;
    let mut quick = cluster.client("quick").await;
    let payload = "x".repeat(64 * 1024);
    let mut overflowed = false;
    for _ in 0..1_000 {
        let receipt = sender.send_to_user("slow", payload.clone()).await.expect("it is answered");
        sender.send_to_user("quick", payload.clone()).await.expect("it is taken");
        assert_eq!(quick.text().await.len(), payload.len());
        overflowed |= receipt.outcome != Outcome::Delivered;
        if overflowed {
            break;
        }
    }
    assert!(overflowed, "1,000 unread messages of 64 KiB were all taken");
    assert_eq!(slow.closed().await.0, 1013);
    let target = SessionTarget::User(UserId::new("quick").expect("a good name"));
    sender.close_sessions(&target, ringway_sender::CloseCode::NORMAL, "done").await.expect("it is there");
    assert_eq!(quick.closed().await, (1000, "done".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_window_slows_a_quick_client_down_but_little() {
    // Half as long as this takes if room in the window comes back only with the reports that gather for 100 ms.
    const PROMPTLY: Duration = Duration::from_secs(10);
    const COUNT: usize = 200;
    let cluster = Cluster::builder().config("[sessions]\nwindow_bytes = \"1KiB\"").start().await;
    let sender = cluster.sender().await;
    let mut alice = cluster.client("alice").await;
    let payload = |number| format!("{number:>1000}");
    for number in 0..COUNT {
        // Those that are behind the window wait at the worker.
        sender.send_to_user("alice", payload(number)).await.expect("it is taken");
    }
    let reading = async {
        for number in 0..COUNT {
            assert_eq!(alice.text().await, payload(number));
        }
    };
    tokio::time::timeout(PROMPTLY, reading).await.expect("the messages come in time");
}
