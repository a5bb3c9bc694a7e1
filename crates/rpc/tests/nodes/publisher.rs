//! The publisher against a node that the test plays by hand.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use ringway_proto::v1::Turn;
use ringway_proto::v1::publish_reply::Result as Reply;
use ringway_proto::{Reason, Refusal};
use ringway_ring::RingVersion;
use ringway_rpc::{NodePool, PublishTicket, Publisher, PublisherConfig, ServerConfig, Unentered};
use tonic::Status;

use crate::fake::{FakeNode, message_id, receipt, send, soon};

fn publisher(node: &FakeNode) -> Publisher {
    Publisher::new(node.channel(), PublisherConfig::default())
}

async fn publish(publisher: &Publisher, id: &str) -> PublishTicket {
    soon("room to publish", enter(publisher, id)).await
}

pub(crate) async fn enter(publisher: &Publisher, id: &str) -> PublishTicket {
    let send = send(id);
    let reserved = publisher.reserve(&send).await.unwrap();
    reserved.enter(send, Turn::Unspecified, None).unwrap().ticket
}

async fn answer(ticket: PublishTicket) -> Result<String, Reason> {
    let answer = soon("an answer", ticket).await;
    answer.map(|receipt| receipt.message_id).map_err(|refusal| refusal.reason)
}

#[tokio::test]
async fn requests_go_in_order_and_replies_find_their_tickets_in_any_order() {
    let mut node = FakeNode::start().await;
    let publisher = publisher(&node);
    let ids = ["m0", "m1", "m2"];
    let mut tickets = Vec::new();
    for id in ids {
        tickets.push(publish(&publisher, id).await);
    }
    let mut stream = node.opened().await;
    let mut sequences = Vec::new();
    for id in ids {
        let request = stream.next().await;
        assert_eq!(message_id(&request), id);
        sequences.push(request.sequence);
    }
    let not_owner = Refusal::new(Reason::NotOwner, "ask another").with_ring(RingVersion::from_u64(7));
    stream.reply(sequences[2], Reply::Receipt(receipt("m2"))).await;
    stream.reply(sequences[1], Reply::Error(not_owner.to_publish_error())).await;
    stream.reply(9_999, Reply::Receipt(receipt("nobody's"))).await;
    stream.reply(sequences[0], Reply::Receipt(receipt("m0"))).await;

    let answers = soon("all answers", join_all(tickets)).await;
    assert_eq!(answers[0], Ok(receipt("m0")));
    assert_eq!(answers[1], Err(not_owner));
    assert_eq!(answers[2], Ok(receipt("m2")));
}

#[tokio::test]
async fn a_broken_stream_resolves_every_ticket_and_the_next_request_opens_another() {
    // How the node ends the stream: an error, an orderly end, or a crash of the connection.
    for how in ["status", "end", "crash"] {
        let mut node = FakeNode::start().await;
        let publisher = publisher(&node);
        let first = publish(&publisher, "m0").await;
        let second = publish(&publisher, "m1").await;
        let mut stream = node.opened().await;
        let sequence = stream.next().await.sequence;
        stream.reply(sequence, Reply::Receipt(receipt("m0"))).await;
        assert_eq!(answer(first).await, Ok("m0".into()));
        assert_eq!(message_id(&stream.next().await), "m1");

        match how {
            "status" => stream.replies.send(Err(Status::unavailable("going away"))).await.unwrap(),
            "end" => drop(stream),
            _ => {
                let listener = crash_and_rebind(node).await;
                node = FakeNode::start_on(listener, ServerConfig::default());
            }
        }
        assert_eq!(answer(second).await, Err(Reason::ConnectionLost), "{how}");

        let third = publish(&publisher, "m2").await;
        let mut stream = node.opened().await;
        let request = stream.next().await;
        assert_eq!(message_id(&request), "m2");
        stream.reply(request.sequence, Reply::Receipt(receipt("m2"))).await;
        assert_eq!(answer(third).await, Ok("m2".into()), "{how}");
    }
}

#[tokio::test]
async fn what_a_node_that_ends_has_not_answered_was_not_taken() {
    let mut node = FakeNode::start().await;
    let publisher = publisher(&node);
    let tickets = [publish(&publisher, "m0").await, publish(&publisher, "m1").await];
    let mut stream = node.opened().await;
    let sequence = stream.next().await.sequence;
    stream.reply(sequence, Reply::Receipt(receipt("m0"))).await;
    let last_word = Refusal::new(Reason::Draining, "the test says so").to_status();
    stream.replies.send(Err(last_word)).await.unwrap();
    let [first, second] = tickets;
    assert_eq!(answer(first).await, Ok("m0".into()));
    assert_eq!(answer(second).await, Err(Reason::Draining));
    let _third = publish(&publisher, "m2").await;
    assert_eq!(message_id(&node.opened().await.next().await), "m2");
}

async fn crash_and_rebind(node: FakeNode) -> tokio::net::TcpListener {
    let address = node.url.authority().to_owned();
    node.crash().await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    socket.listen(16).unwrap()
}

#[tokio::test]
async fn without_a_node_tickets_are_unreachable_and_with_a_wrong_secret_unauthenticated() {
    let node = FakeNode::start().await;
    let stranger = NodePool::new(ringway_rpc::ClusterSecret::generate(), ringway_rpc::PoolConfig::default());
    let publisher = Publisher::new(stranger.node(&node.url), PublisherConfig::default());
    assert_eq!(answer(publish(&publisher, "m0").await).await, Err(Reason::Unauthenticated));

    let nobody = Publisher::new(node.channel(), PublisherConfig::default());
    node.crash().await;
    let tickets = [publish(&nobody, "m0").await, publish(&nobody, "m1").await];
    for ticket in tickets {
        assert_eq!(answer(ticket).await, Err(Reason::Unreachable));
    }
}

#[tokio::test]
async fn beyond_the_bound_publishing_waits_for_answers() {
    // By number, and by bytes (each payload has 5).
    let by_number = PublisherConfig { in_flight_max: 3, ..PublisherConfig::default() };
    let by_bytes = PublisherConfig { in_flight_bytes_max: 15, ..PublisherConfig::default() };
    for config in [by_number, by_bytes] {
        let mut node = FakeNode::start().await;
        let publisher = Publisher::new(node.channel(), config);
        let mut tickets = Vec::new();
        for id in ["m0", "m1", "m2"] {
            tickets.push(publish(&publisher, id).await);
        }
        assert!(enter(&publisher, "dropped").now_or_never().is_none());
        let fourth = enter(&publisher, "m3");
        let mut fourth = Box::pin(fourth);
        assert!((&mut fourth).now_or_never().is_none());

        let mut stream = node.opened().await;
        let first = stream.next().await.sequence;
        stream.reply(first, Reply::Receipt(receipt("m0"))).await;
        let fourth = soon("room", fourth).await;
        for id in ["m1", "m2", "m3"] {
            let request = stream.next().await;
            assert_eq!(message_id(&request), id);
            stream.reply(request.sequence, Reply::Receipt(receipt(id))).await;
        }
        assert_eq!(answer(fourth).await, Ok("m3".into()));
    }
}

#[tokio::test]
async fn a_message_larger_than_the_bound_passes_alone() {
    let mut node = FakeNode::start().await;
    let config = PublisherConfig { in_flight_bytes_max: 2, ..PublisherConfig::default() };
    let publisher = Publisher::new(node.channel(), config);
    let ticket = publish(&publisher, "m0").await;
    assert!(enter(&publisher, "m1").now_or_never().is_none());
    let mut stream = node.opened().await;
    let sequence = stream.next().await.sequence;
    stream.reply(sequence, Reply::Receipt(receipt("m0"))).await;
    assert_eq!(answer(ticket).await, Ok("m0".into()));
}

#[tokio::test]
async fn a_request_says_how_it_stands_to_earlier_ones_and_follows_them_only_on_their_stream() {
    let mut node = FakeNode::start().await;
    let publisher = publisher(&node);
    let send = send("m0");
    let entered = publisher.reserve(&send).await.unwrap().enter(send.clone(), Turn::First, None).unwrap();
    let after = Some(entered.stream);
    let _second = publisher.reserve(&send).await.unwrap().enter(send.clone(), Turn::Follows, after).unwrap();
    let mut stream = node.opened().await;
    for turn in [Turn::First, Turn::Follows] {
        assert_eq!(stream.next().await.turn(), turn);
    }
    drop(stream);
    assert_eq!(answer(entered.ticket).await, Err(Reason::ConnectionLost));
    let refused = publisher.reserve(&send).await.unwrap().enter(send.clone(), Turn::Follows, after);
    assert!(matches!(refused, Err(Unentered::OtherStream(back)) if *back == send));
}

#[tokio::test]
async fn dropping_the_publisher_finishes_what_was_accepted_and_ends_the_stream() {
    let mut node = FakeNode::start().await;
    let publisher = publisher(&node);
    let ticket = publish(&publisher, "m0").await;
    drop(publisher);
    let mut stream = node.opened().await;
    let sequence = stream.next().await.sequence;
    stream.reply(sequence, Reply::Receipt(receipt("m0"))).await;
    assert_eq!(answer(ticket).await, Ok("m0".into()));
    let end = soon("the end of the stream", stream.requests.message()).await.unwrap();
    assert!(end.is_none());
}

#[tokio::test]
async fn a_node_that_never_answers_does_not_keep_a_dropped_publisher() {
    let mut node = FakeNode::start().await;
    let config = PublisherConfig { linger: Duration::from_millis(20), ..PublisherConfig::default() };
    let publisher = Publisher::new(node.channel(), config);
    let ticket = publish(&publisher, "m0").await;
    let mut stream = node.opened().await;
    stream.next().await;
    drop(publisher);
    assert_eq!(answer(ticket).await, Err(Reason::ConnectionLost));
    // The task has let go of the stream: there is nobody to take a reply.
    soon("the stream's end", stream.replies.closed()).await;
}

#[tokio::test]
async fn ten_thousand_publishes_from_several_callers_are_all_answered_in_order() {
    const CALLERS: usize = 10;
    const EACH: usize = 1_000;
    let mut node = FakeNode::start().await;
    let config = PublisherConfig { in_flight_max: 64, ..PublisherConfig::default() };
    let publisher = Publisher::new(node.channel(), config);
    let callers = (0..CALLERS).map(|caller| {
        let publisher = publisher.clone();
        tokio::spawn(async move {
            let mut tickets = Vec::new();
            for n in 0..EACH {
                tickets.push(enter(&publisher, &format!("{caller}/{n}")).await);
            }
            let answers = join_all(tickets).await;
            answers.iter().filter(|answer| answer.is_ok()).count()
        })
    });
    let callers: Vec<_> = callers.collect();
    let mut stream = node.opened().await;
    let mut next = [0; CALLERS];
    for _ in 0..CALLERS * EACH {
        let request = stream.next().await;
        let id = message_id(&request);
        let (caller, n) = id.split_once('/').unwrap();
        let caller: usize = caller.parse().unwrap();
        assert_eq!(n.parse(), Ok(next[caller]));
        next[caller] += 1;
        stream.reply(request.sequence, Reply::Receipt(receipt(&id))).await;
    }
    for answered in soon("all callers", join_all(callers)).await {
        assert_eq!(answered.unwrap(), EACH);
    }
}
