//! Messages that are sent at least once, through real processes and a real Redis: whatever dies, each arrives once and in order at
//! a client that acknowledges.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_e2e::ledger::Note;
use ringway_e2e::listener::{Flaws, Listener, Way};
use ringway_e2e::server::{Kind, Server};
use ringway_e2e::{Cluster, Fleet, PATIENCE};
use ringway_sender::{Outcome, Receipt, SendError, Sender};

const USERS: usize = 40;
const MESSAGES: u32 = 150;
/// Long enough for whatever is killed to come back.
const SEND_DEADLINE: Duration = Duration::from_secs(60);

fn note(stream: &str, number: u32, began: Instant) -> String {
    Note { stream, number, sent: began.elapsed() }.text()
}

/// Publishes numbered messages to a user and gives back what became of them.
async fn publish(
    sender: Sender,
    user: String,
    began: Instant,
    pause: Duration,
) -> Vec<Result<Receipt, SendError>> {
    let mut tickets = Vec::new();
    for number in 0..MESSAGES {
        let call = sender.send_to_user(&user, note(&user, number, began)).at_least_once();
        tickets.push(call.deadline(SEND_DEADLINE).publish().await.expect("it keeps to the rules"));
        tokio::time::sleep(pause).await;
    }
    let mut answers = Vec::new();
    for ticket in tickets {
        answers.push(ticket.await);
    }
    answers
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + 2 * PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A worker dies and comes back, Redis dies and comes back, and a worker restarts in order.
async fn trouble(fleet: &mut Fleet, redis: &mut Server) {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    fleet.workers[1].process.kill().await;
    fleet.settled_without(1, 2).await;
    fleet.workers[1].start_again().await;
    fleet.settled(3).await;
    redis.stop().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.start_again().await;
    fleet.workers[2].process.terminate();
    assert!(fleet.workers[2].process.exit(PATIENCE).await.success());
    fleet.workers[2].start_again().await;
    fleet.settled(3).await;
}

/// Every message was accepted.
fn assert_accepted(answers: &[Result<Receipt, SendError>]) {
    for answer in answers {
        let receipt = answer.as_ref().expect("every message is accepted");
        assert!(matches!(receipt.outcome, Outcome::Delivered | Outcome::Stored), "{receipt:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_accepted_is_lost_whatever_dies() {
    let Some(mut redis) = Server::start(Kind::Redis).await else { return };
    let settings = redis.settings();
    let settings: Vec<&str> = settings
        .iter()
        .map(String::as_str)
        .chain(["mailbox.store=redis", "mailbox.bytes_max=8MiB"])
        .collect();
    let mut fleet = Fleet::gossip(3, 2, &settings).await;
    let (sender, began) = (fleet.sender().await, Instant::now());
    let gateways: Vec<_> = fleet.gateways.iter().map(ringway_e2e::Node::clients).collect();
    let listeners: Vec<Arc<Listener>> = (0..USERS)
        .map(|number| Arc::new(Listener::new(number, Way::V1, gateways.clone(), began, USERS)))
        .collect();
    // Half of them listen from the beginning; the others come when all is over.
    let (early, late) = listeners.split_at(USERS / 2);
    let listen = |listeners: &[Arc<Listener>]| {
        for listener in listeners.iter().map(Arc::clone) {
            tokio::spawn(async move { listener.listen().await });
        }
    };
    listen(early);
    until("half of the listeners are there", || {
        early.iter().all(|listener| !listener.heard().connections.is_empty())
    })
    .await;

    let sending: Vec<_> = listeners
        .iter()
        .map(|listener| {
            let (sender, user) = (sender.clone(), listener.user.clone());
            tokio::spawn(publish(sender, user, began, Duration::from_millis(60)))
        })
        .collect();
    trouble(&mut fleet, &mut redis).await;

    for sent in sending {
        assert_accepted(&sent.await.expect("no panic"));
    }
    listen(late);
    let all: Vec<u32> = (0..MESSAGES).collect();
    until("everybody has everything", || {
        listeners.iter().all(|listener| listener.heard().own.len() >= all.len())
    })
    .await;
    for listener in &listeners {
        let heard = listener.heard();
        assert_eq!(Flaws::of(&heard.own), Flaws::default(), "{}: {:?}", listener.user, heard.own);
        assert_eq!(heard.own, all, "{}", listener.user);
    }
    let early_ends: usize = early.iter().map(|listener| listener.heard().ends.len()).sum();
    assert_eq!(early_ends, 0, "and nobody was disconnected");
    fleet.workers.iter_mut().chain(&mut fleet.gateways).for_each(|node| node.process.assert_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_worker_keeps_its_users_messages_in_a_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = format!("[mailbox]\nstore = \"file\"\ndirectory = {:?}\n", directory.path().join("mail"));
    let mut cluster = Cluster::builder().workers(1).gateways(1).config(&config).start().await;
    let sender = cluster.sender().await;
    for number in 0..100 {
        let text = format!("message {number}");
        let sent = sender.send_to_user("alice", text).at_least_once().message_id(format!("m{number}")).await;
        assert_eq!(sent.expect("it is stored").outcome, Outcome::Stored);
    }
    cluster.workers[0].process.kill().await;
    cluster.workers[0].start_again().await;
    let again =
        sender.send_to_user("alice", "message 99").at_least_once().message_id("m99").deadline(PATIENCE);
    let again = again.await.expect("it was stored");
    assert!(again.is_duplicate, "{again:?}");
    let mut alice = cluster.client("alice").await;
    for number in 0..100 {
        assert_eq!(alice.text().await, format!("message {number}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_away_refuses_what_is_to_be_stored_and_nothing_else() {
    let Some(mut redis) = Server::start(Kind::Redis).await else { return };
    let address = redis.address();
    redis.stop().await;
    let config = format!(
        "[mailbox]\nstore = \"redis\"\n[redis]\nurl = \"redis://{address}\"\nanswer_timeout = \"500ms\"\n"
    );
    let cluster = Cluster::builder().workers(2).gateways(1).config(&config).start().await;
    let sender = cluster.sender().await;
    let mut alice = cluster.client("alice").await;
    let refused = sender.send_to_user("alice", "a").at_least_once().deadline(Duration::from_secs(2)).await;
    let refused = refused.expect_err("there is no Redis");
    assert_eq!(refused.refusal.reason.name(), "STORE_UNAVAILABLE", "{refused}");
    assert_eq!(sender.send_to_user("alice", "b").await.expect("it is sent").outcome, Outcome::Delivered);
    assert_eq!(alice.text().await, "b");
    redis.start_again().await;
    let stored = sender.send_to_user("alice", "c").at_least_once().deadline(PATIENCE).await;
    assert!(stored.expect("Redis is back").stored_offset.is_some());
    assert_eq!(alice.text().await, "c");

    let keys = ringway_e2e::redis::ask(address, "KEYS ringway:mailbox:*").await;
    assert!(keys.iter().any(|key| key == "ringway:mailbox:{alice}"), "{keys:?}");
}
