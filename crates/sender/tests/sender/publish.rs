//! Sends that are published: order, retries in their turn, bounds, the end.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use ringway_sender::{PublishConfig, Reason, Sender, Ticket};

use crate::fake::{FakeCluster, Take, refusal, soon};
use crate::{config, connect};

async fn publish(sender: &Sender, user: &str, id: &str) -> Ticket {
    soon("room", sender.send_to_user(user, "hello").message_id(id).publish()).await.unwrap()
}

async fn answer(ticket: Ticket) -> Result<String, (Reason, bool)> {
    let answer = soon("an answer", ticket).await;
    answer.map(|receipt| receipt.message_id).map_err(|error| (error.reason(), error.maybe_delivered))
}

#[tokio::test]
async fn ten_thousand_messages_arrive_in_order_for_each_user() {
    const USERS: usize = 50;
    const EACH: usize = 200;
    let cluster = FakeCluster::start(3).await;
    let sender = connect(&cluster).await;
    let before = sender.calls();
    let mut tickets = Vec::new();
    for n in 0..EACH {
        for user in 0..USERS {
            tickets.push(publish(&sender, &format!("user{user}"), &format!("{n:03}")).await);
        }
    }
    let receipts = soon("all receipts", join_all(tickets)).await;
    assert!(receipts.iter().all(Result::is_ok));
    assert!(sender.calls() - before <= 3, "at most one stream to each worker");
    for user in 0..USERS {
        let user = format!("user{user}");
        let seen = cluster.script_of(&user).seen();
        let ids: Vec<_> = seen.iter().filter(|seen| seen.key == user).map(|seen| &seen.message_id).collect();
        assert_eq!(ids.len(), EACH);
        assert!(ids.is_sorted(), "{user}: {ids:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_sent_again_goes_before_those_that_came_after_its_refusal() {
    let cluster = FakeCluster::start(1).await;
    let mut config = config(&cluster);
    config.retry.first_pause_max = Duration::from_millis(200);
    let sender = Sender::connect(config).await.unwrap();
    let script = &cluster.workers[0].script;
    script.then(Take::Refuse(refusal(Reason::Overloaded)));
    let mut tickets = vec![publish(&sender, "alice", "a1").await];
    // Answers come in the order of the stream: after this one, the refusal of a1 has arrived, too.
    assert_eq!(answer(publish(&sender, "bob", "b1").await).await, Ok("b1".into()));
    for id in ["a2", "a3"] {
        tickets.push(publish(&sender, "alice", id).await);
    }
    // Others do not wait.
    assert_eq!(answer(publish(&sender, "bob", "b2").await).await, Ok("b2".into()));
    for ticket in tickets {
        answer(ticket).await.unwrap();
    }
    let seen = script.seen();
    let of_alice: Vec<_> =
        seen.iter().filter(|seen| seen.key == "alice").map(|seen| &seen.message_id).collect();
    assert_eq!(of_alice, ["a1", "a1", "a2", "a3"]);
}

#[tokio::test]
async fn messages_that_were_under_way_together_are_sent_again_in_their_order() {
    let cluster = FakeCluster::start(1).await;
    let sender = connect(&cluster).await;
    let script = &cluster.workers[0].script;
    for take in [Take::Hold, Take::Refuse(refusal(Reason::NotOwner)), Take::Refuse(refusal(Reason::NotOwner))]
    {
        script.then(take);
    }
    let mut tickets = Vec::new();
    for id in ["a1", "a2", "a3"] {
        tickets.push(publish(&sender, "alice", id).await);
    }
    script.saw(1).await;
    script.release.notify_one();
    for ticket in tickets {
        answer(ticket).await.unwrap();
    }
    assert_eq!(script.ids(), ["a1", "a2", "a3", "a2", "a3"]);
}

#[tokio::test]
async fn a_lost_stream_leaves_a_doubt_about_what_was_sent_and_nothing_is_sent_twice() {
    let cluster = FakeCluster::start(1).await;
    let sender = connect(&cluster).await;
    let script = &cluster.workers[0].script;
    script.then(Take::End);
    let ticket = publish(&sender, "alice", "a1").await;
    assert_eq!(answer(ticket).await, Err((Reason::ConnectionLost, true)));
    assert_eq!(answer(publish(&sender, "alice", "a2").await).await, Ok("a2".into()));
    assert_eq!(script.ids(), ["a1", "a2"]);

    script.then(Take::End);
    let call = sender.send_to_user("alice", "hello").message_id("a3").retry_ambiguous();
    assert_eq!(answer(call.publish().await.unwrap()).await, Ok("a3".into()));
    assert_eq!(script.ids(), ["a1", "a2", "a3", "a3"]);
}

#[tokio::test]
async fn a_worker_that_is_gone_is_tried_until_the_deadline_and_leaves_no_doubt() {
    let mut cluster = FakeCluster::start(2).await;
    let mut config = config(&cluster);
    config.deadline = Duration::from_millis(200);
    let sender = Sender::connect(config).await.unwrap();
    let (here, gone) = (cluster.user_of(0), cluster.user_of(1));
    cluster.crash(1).await;
    let tickets = [publish(&sender, &gone, "g1").await, publish(&sender, &gone, "g2").await];
    assert_eq!(answer(publish(&sender, &here, "h1").await).await, Ok("h1".into()));
    for ticket in tickets {
        let error = soon("the deadline", ticket).await.unwrap_err();
        assert_eq!((error.reason(), error.maybe_delivered), (Reason::Unreachable, false), "{error}");
        assert!(error.attempts > 1, "{error}");
    }
}

#[tokio::test]
async fn beyond_the_bound_publishing_waits() {
    let cluster = FakeCluster::start(1).await;
    let mut config = config(&cluster);
    config.publish = PublishConfig { in_flight_max: 2, ..PublishConfig::default() };
    let sender = Sender::connect(config).await.unwrap();
    let script = &cluster.workers[0].script;
    script.then(Take::Hold);
    let first = publish(&sender, "alice", "a1").await;
    let second = publish(&sender, "alice", "a2").await;
    let mut third = Box::pin(sender.send_to_user("alice", "hello").message_id("a3").publish());
    assert!((&mut third).now_or_never().is_none());
    script.saw(1).await;
    script.release.notify_one();
    let third = soon("room", third).await.unwrap();
    for (ticket, id) in [(first, "a1"), (second, "a2"), (third, "a3")] {
        assert_eq!(answer(ticket).await, Ok(id.into()));
    }
}

#[tokio::test]
async fn a_message_without_an_answer_ends_with_its_deadline_and_frees_its_room() {
    let cluster = FakeCluster::start(1).await;
    let mut config = config(&cluster);
    config.publish = PublishConfig { in_flight_max: 1, ..PublishConfig::default() };
    config.deadline = Duration::from_millis(50);
    let sender = Sender::connect(config).await.unwrap();
    cluster.workers[0].script.then(Take::Hang);
    for id in ["a1", "a2"] {
        let ticket = publish(&sender, "alice", id).await;
        assert_eq!(answer(ticket).await, Err((Reason::DeadlineExceeded, true)), "{id}");
    }
}

#[tokio::test]
async fn what_was_published_is_sent_without_its_ticket_and_without_the_sender() {
    let cluster = FakeCluster::start(1).await;
    let sender = connect(&cluster).await;
    let script = &cluster.workers[0].script;
    script.then(Take::Hold);
    script.then(Take::Refuse(refusal(Reason::NotOwner)));
    drop(publish(&sender, "alice", "a1").await);
    let ticket = publish(&sender, "alice", "a2").await;
    drop(sender);
    script.saw(1).await;
    script.release.notify_one();
    assert_eq!(answer(ticket).await, Ok("a2".into()));
    assert_eq!(script.ids(), ["a1", "a2", "a2"]);
}
