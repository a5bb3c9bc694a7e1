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

/// A sender of which each stream has room for this many messages.
async fn narrow(cluster: &FakeCluster, in_flight_max: u32, deadline: Duration) -> Sender {
    let mut config = config(cluster);
    config.streams.in_flight_max = in_flight_max;
    config.deadline = deadline;
    soon("a sender", Sender::connect(config)).await.unwrap()
}

/// What a worker saw of each of these users, by their messages' ids.
fn ids_of(cluster: &FakeCluster, users: &[String]) -> Vec<Vec<String>> {
    let ids = |user: &String| {
        let seen = cluster.script_of(user).seen();
        seen.into_iter().filter(|seen| seen.key == *user).map(|seen| seen.message_id).collect()
    };
    users.iter().map(ids).collect()
}

#[tokio::test]
async fn a_worker_that_takes_nothing_holds_up_only_what_is_for_it() {
    const EACH: usize = 50;
    let cluster = FakeCluster::start(2).await;
    let sender = narrow(&cluster, 3, Duration::from_secs(60)).await;
    let (here, there) = (cluster.users_of(0, 4), cluster.users_of(1, 4));
    cluster.workers[1].script.then(Take::Hold);
    let (mut free, mut held) = (Vec::new(), Vec::new());
    for n in 0..EACH {
        for (here, there) in here.iter().zip(&there) {
            held.push(publish(&sender, there, &format!("{n:03}")).await);
            free.push(publish(&sender, here, &format!("{n:03}")).await);
        }
    }
    let receipts = soon("the answers of the other worker", join_all(free)).await;
    assert!(receipts.iter().all(Result::is_ok));
    assert!(held.iter_mut().all(|ticket| ticket.now_or_never().is_none()));
    assert_eq!(cluster.workers[1].script.seen().len(), 1);
    cluster.workers[1].script.release.notify_one();
    let receipts = soon("all answers", join_all(held)).await;
    assert!(receipts.iter().all(Result::is_ok));
    let expected: Vec<_> = (0..EACH).map(|n| format!("{n:03}")).collect();
    for ids in ids_of(&cluster, &[here, there].concat()) {
        assert_eq!(ids, expected);
    }
}

#[tokio::test]
async fn what_waits_for_room_ends_with_its_own_deadline_and_was_surely_not_sent() {
    let cluster = FakeCluster::start(1).await;
    let sender = narrow(&cluster, 1, Duration::from_secs(60)).await;
    cluster.workers[0].script.then(Take::Hold);
    let on_stream = publish(&sender, "alice", "a1").await;
    let waits = publish(&sender, "alice", "a2").await;
    let behind = publish(&sender, "alice", "a5").await;
    for (user, id) in [("alice", "a3"), ("bob", "b1"), ("bob", "b2")] {
        let call = sender.send_to_user(user, "hello").message_id(id).deadline(Duration::from_millis(30));
        let error = soon("the deadline", call.publish().await.unwrap()).await.unwrap_err();
        assert_eq!((error.reason(), error.maybe_delivered), (Reason::DeadlineExceeded, false), "{id}");
        assert!(error.to_string().contains("for room on its worker's stream"), "{error}");
    }
    cluster.workers[0].script.release.notify_one();
    for (ticket, id) in [(on_stream, "a1"), (waits, "a2"), (behind, "a5")] {
        assert_eq!(answer(ticket).await, Ok(id.into()));
    }
    assert_eq!(cluster.workers[0].script.ids(), ["a1", "a2", "a5"]);
}

#[tokio::test]
async fn what_waits_for_room_at_a_worker_that_leaves_goes_to_the_next_owner_in_order() {
    let mut cluster = FakeCluster::start(2).await;
    let sender = narrow(&cluster, 1, Duration::from_secs(60)).await;
    let (user, other) = (cluster.user_of(1), cluster.users_of(1, 2).remove(1));
    cluster.workers[1].script.then(Take::Hang);
    let _hangs = publish(&sender, &user, "hangs").await;
    let mut tickets = Vec::new();
    for id in ["o1", "o2", "o3"] {
        tickets.push(publish(&sender, &other, id).await);
    }
    cluster.workers[1].script.saw(1).await;
    cluster.leave(1).await;
    let receipts = soon("answers from the next owner", join_all(tickets)).await;
    assert!(receipts.iter().all(Result::is_ok));
    assert_eq!(cluster.workers[0].script.ids(), ["o1", "o2", "o3"]);
}

#[tokio::test]
async fn messages_for_all_keep_their_order_while_one_of_them_waits_for_room() {
    let cluster = FakeCluster::start(2).await;
    let sender = narrow(&cluster, 1, Duration::from_secs(60)).await;
    let user = cluster.user_of(1);
    cluster.workers[1].script.then(Take::Hold);
    let first = publish(&sender, &user, "first").await;
    // A message for all goes to the owner of its id.
    let ids = [cluster.users_of(1, 2), cluster.users_of(0, 2)].concat();
    let mut tickets = Vec::new();
    for id in &ids {
        let call = sender.send_to_all("hello").message_id(id);
        tickets.push(soon("room", call.publish()).await.unwrap());
    }
    let here = cluster.user_of(0);
    assert_eq!(answer(publish(&sender, &here, "not for all").await).await, Ok("not for all".into()));
    assert!(tickets.iter_mut().all(|ticket| ticket.now_or_never().is_none()));
    assert_eq!(cluster.workers[0].script.ids(), ["not for all"]);
    cluster.workers[1].script.release.notify_one();
    for (ticket, id) in [(first, "first".to_owned())].into_iter().chain(tickets.into_iter().zip(ids)) {
        assert_eq!(answer(ticket).await, Ok(id));
    }
}

#[tokio::test]
async fn a_worker_that_takes_nothing_does_not_use_up_all_of_the_room() {
    let cluster = FakeCluster::start(2).await;
    let mut config = config(&cluster);
    config.streams.in_flight_max = 2;
    config.publish.in_flight_max = 8;
    config.deadline = Duration::from_secs(60);
    let sender = soon("a sender", Sender::connect(config)).await.unwrap();
    let (here, there) = (cluster.user_of(0), cluster.user_of(1));
    cluster.workers[1].script.then(Take::Hold);
    let mut held = Vec::new();
    for n in 0..6 {
        held.push(publish(&sender, &there, &n.to_string()).await);
    }
    cluster.workers[1].script.saw(1).await;
    // Those that wait for room stand before whoever comes.
    let waiting = (6..9).map(|n| sender.send_to_user(&there, "hello").message_id(n.to_string()).publish());
    let mut waiting: Vec<_> = waiting.map(Box::pin).collect();
    assert!(waiting.iter_mut().all(|publishing| publishing.now_or_never().is_none()));
    for n in 0..20 {
        let id = n.to_string();
        assert_eq!(answer(publish(&sender, &here, &id).await).await, Ok(id));
    }
    // More at once than what is free and the stream have.
    let ids: Vec<_> = (0..10).map(|n| format!("crowd {n}")).collect();
    let crowd = ids.iter().map(async |id| answer(publish(&sender, &here, id).await).await.unwrap());
    soon("answers to a crowd", join_all(crowd)).await;
    assert!(waiting.iter_mut().all(|publishing| publishing.now_or_never().is_none()));
    cluster.workers[1].script.release.notify_one();
    for publishing in waiting {
        held.push(soon("room", publishing).await.unwrap());
    }
    for (n, ticket) in held.into_iter().enumerate() {
        assert_eq!(answer(ticket).await, Ok(n.to_string()));
    }
}

#[tokio::test]
async fn a_worker_that_hangs_gets_no_more_of_the_room_when_others_give_theirs_back() {
    let cluster = FakeCluster::start(2).await;
    let mut config = config(&cluster);
    config.publish.in_flight_max = 8;
    config.deadline = Duration::from_secs(60);
    let sender = soon("a sender", Sender::connect(config)).await.unwrap();
    let (here, there) = (cluster.user_of(0), cluster.user_of(1));
    cluster.workers[0].script.then(Take::Hold);
    cluster.workers[1].script.then(Take::Hang);
    let (mut busy, mut hung) = (Vec::new(), Vec::new());
    for n in 0..6 {
        busy.push(publish(&sender, &here, &format!("busy {n}")).await);
    }
    for n in 0..2 {
        hung.push(publish(&sender, &there, &n.to_string()).await);
    }
    cluster.workers[0].script.release.notify_one();
    assert!(soon("answers", join_all(busy)).await.iter().all(Result::is_ok));
    let more = (2..8).map(|n| sender.send_to_user(&there, "hello").message_id(n.to_string()).publish());
    let mut more: Vec<_> = more.map(Box::pin).collect();
    let entered = more.iter_mut().filter_map(|publishing| publishing.now_or_never()).count();
    assert_eq!(hung.len() + entered, 6, "three quarters");
    for n in 0..20 {
        let id = n.to_string();
        assert_eq!(answer(publish(&sender, &here, &id).await).await, Ok(id));
    }
}

#[tokio::test]
async fn whoever_waits_for_room_does_not_keep_the_stream_to_a_worker_that_has_left() {
    let mut cluster = FakeCluster::start(2).await;
    let mut config = config(&cluster);
    config.streams.linger = Duration::from_millis(50);
    config.publish.in_flight_max = 8;
    config.deadline = Duration::from_secs(60);
    let sender = soon("a sender", Sender::connect(config)).await.unwrap();
    let there = cluster.user_of(1);
    cluster.workers[1].script.then(Take::Hang);
    let mut held = Vec::new();
    for n in 0..6 {
        held.push(publish(&sender, &there, &n.to_string()).await);
    }
    let mut waits = Box::pin(sender.send_to_user(&there, "hello").message_id("waits").publish());
    assert!((&mut waits).now_or_never().is_none());
    cluster.workers[1].script.saw(1).await;
    cluster.leave(1).await;
    soon("the end of what nobody answers", join_all(held)).await;
    assert_eq!(answer(soon("room", waits).await.unwrap()).await, Ok("waits".into()));
}

#[tokio::test]
async fn one_that_is_to_be_sent_again_does_not_wait_for_those_behind_it() {
    let cluster = FakeCluster::start(1).await;
    let sender = narrow(&cluster, 2, Duration::from_secs(60)).await;
    let script = &cluster.workers[0].script;
    for take in [Take::Hold, Take::Refuse(refusal(Reason::Overloaded)), Take::Hang] {
        script.then(take);
    }
    let first = publish(&sender, "zed", "first").await;
    let call = sender.send_to_user("alice", "hello").message_id("again").deadline(Duration::from_millis(500));
    let again = call.publish().await.unwrap();
    let others = ["bob", "carol", "dave"].map(|user| publish(&sender, user, user));
    let _others = join_all(others).await;
    let _behind = publish(&sender, "alice", "behind").await;
    script.saw(1).await;
    script.release.notify_one();
    assert!(answer(first).await.is_ok());
    assert!(soon("the end of its deadline", again).await.is_err());
}
