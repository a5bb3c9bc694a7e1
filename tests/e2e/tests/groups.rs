//! Groups: who is a member, and who receives.

use std::time::Duration;

use ringway_e2e::{Client, Cluster};
use ringway_sender::{GroupId, Outcome, Reason, Sender, SessionFilter, SessionTarget, UserId};

fn group(name: &str) -> GroupId {
    GroupId::new(name).expect("a good name")
}

fn user(name: &str) -> SessionTarget {
    SessionTarget::User(UserId::new(name).expect("a good name"))
}

/// Sends to a group and says to how many sessions it went.
async fn send(sender: &Sender, to: &str, text: &str) -> u32 {
    let receipt = sender.send_to_group(to, text).await.expect("it is taken");
    assert!(receipt.workers_unreached.is_empty(), "{receipt:?}");
    assert_eq!(receipt.outcome == Outcome::Delivered, receipt.sessions > 0, "{receipt:?}");
    receipt.sessions
}

async fn assert_silent(client: &mut Client) {
    let message = client.receive_within(Duration::from_millis(200)).await;
    assert!(message.is_none(), "not for this one: {message:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suffix_of_a_token_names_a_group() {
    let cluster = Cluster::builder().workers(3).gateways(2).start().await;
    let sender = cluster.sender().await;
    let mut members = Vec::new();
    for number in 0..12 {
        let gateway = &cluster.gateways[number % 2];
        members.push(Client::connect(gateway.clients(), &format!("user{number}-room7")).await);
    }
    let mut other = cluster.client("alice-room8").await;
    let mut alone = cluster.client("alice-").await;
    assert_eq!(send(&sender, "room7", "hello").await, 12);
    for member in &mut members {
        assert_eq!(member.text().await, "hello");
    }
    // The whole token is the user, its last suffix the group.
    let dashed = cluster.client("a-b-room9").await;
    assert_eq!(send(&sender, "room9", "hello").await, 1);
    assert_eq!(send(&sender, "b-room9", "hello").await, 0);
    assert_eq!(sender.send_to_user("a-b-room9", "you").await.expect("it is taken").sessions, 1);
    drop(dashed);
    assert_silent(&mut other).await;
    assert_silent(&mut alone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suffix_can_be_turned_off() {
    let cluster = Cluster::builder().config("[auth.plain]\ngroup_suffix = false").start().await;
    let _alice = cluster.client("alice-room7").await;
    assert_eq!(send(&cluster.sender().await, "room7", "hello").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_end_joins_and_leaves_for_its_users() {
    let cluster = Cluster::builder().workers(3).gateways(2).start().await;
    let sender = cluster.sender().await;
    let mut phone = Client::connect(cluster.gateways[0].clients(), "alice").await;
    let mut laptop = Client::connect(cluster.gateways[1].clients(), "alice").await;
    let mut bob = cluster.client("bob").await;
    let news = group("news");

    assert_eq!(send(&sender, "news", "too early").await, 0);
    assert_eq!(sender.join_group(&user("alice"), &news).await.expect("she is there"), 2);
    assert_eq!(sender.join_group(&user("bob"), &news).await.expect("he is there"), 1);
    // Whoever has joined receives the very next message.
    assert_eq!(send(&sender, "news", "one").await, 3);
    for client in [&mut phone, &mut laptop, &mut bob] {
        assert_eq!(client.text().await, "one");
    }
    assert_eq!(sender.leave_group(&user("alice"), &news).await.expect("she is there"), 2);
    assert_eq!(send(&sender, "news", "two").await, 1);
    assert_eq!(bob.text().await, "two");

    // A single session.
    let all = sender.list_sessions(&SessionFilter::User(UserId::new("alice").expect("a good name")), 0).await;
    let sessions = all.expect("she is there").sessions;
    let one = SessionTarget::Session(sessions[0].id.parse().expect("a session id"));
    assert_eq!(sender.join_group(&one, &news).await.expect("it is there"), 1);
    assert_eq!(send(&sender, "news", "three").await, 2);
    let shown = sender.session(sessions[0].id.parse().expect("a session id")).await.expect("it is there");
    assert_eq!((shown.user.as_str(), shown.groups), ("alice", vec!["news".to_owned()]));
    let members = sender.list_sessions(&SessionFilter::Group(news.clone()), 0).await.expect("they are there");
    assert_eq!(
        members.sessions.iter().map(|session| session.user.as_str()).collect::<Vec<_>>(),
        ["alice", "bob"]
    );
    // Nobody of that name: no session becomes a member.
    match sender.join_group(&user("nobody"), &news).await {
        Ok(sessions) => assert_eq!(sessions, 0),
        Err(error) => assert_eq!(error.reason(), Reason::SessionNotFound),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_is_no_member() {
    let cluster = Cluster::builder().workers(3).start().await;
    let sender = cluster.sender().await;
    let (alice, mut bob) = (cluster.client("alice-room7").await, cluster.client("bob-room7").await);
    assert_eq!(send(&sender, "room7", "both").await, 2);
    alice.close().await;
    for worker in &cluster.workers {
        ringway_e2e::metrics::until(worker.status(), "ringway_worker_sessions", &[], |sessions| {
            sessions < 2.0
        })
        .await;
    }
    let count = cluster.over_workers("ringway_worker_sessions", &[]).await;
    assert_eq!(count, 1.0);
    assert_eq!(send(&sender, "room7", "one").await, 1);
    assert_eq!((bob.text().await, bob.text().await), ("both".to_owned(), "one".to_owned()));
}
