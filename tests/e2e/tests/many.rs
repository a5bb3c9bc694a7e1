//! Many at once: 5,000 clients, 5,000 sends to users, 5,000 to groups, published and called; none refused, none failed.

use std::collections::BTreeSet;
use std::time::Instant;

use ringway_e2e::{Client, Cluster};
use ringway_sender::{Outcome, SendCall, Ticket};
use tokio::task::JoinSet;

const MANY: usize = 5_000;

/// Connects clients all at the same time.
async fn connect(cluster: &Cluster, tokens: impl Iterator<Item = String>) -> Vec<Client> {
    let (server, mut connecting) = (cluster.clients(), JoinSet::new());
    for token in tokens {
        connecting.spawn(async move { Client::connect(server, &token).await });
    }
    connecting.join_all().await
}

/// Waits for the receipts, each of which must say that so many sessions were reached.
async fn assert_all_reach(tickets: Vec<Ticket>, sessions: u32) {
    for ticket in tickets {
        let receipt = ticket.await.expect("it is answered");
        assert_eq!((receipt.outcome, receipt.sessions), (Outcome::Delivered, sessions));
    }
}

/// Calls under way together, as a back end makes them that answers many requests at once. Each must reach one session.
async fn call_all(calls: impl Iterator<Item = SendCall>) {
    let mut calling = JoinSet::new();
    for call in calls {
        calling.spawn(async move { call.send().await.expect("it is answered") });
    }
    for receipt in calling.join_all().await {
        assert_eq!((receipt.outcome, receipt.sessions), (Outcome::Delivered, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_connect_at_once_and_every_send_is_answered() {
    let mut cluster = Cluster::builder().workers(3).start().await;
    let began = Instant::now();
    let mut clients = connect(&cluster, (0..MANY).map(|number| format!("user{number}"))).await;
    println!("{MANY} clients connected in {:?}", began.elapsed());
    assert_eq!(cluster.over_workers("ringway_worker_sessions", &[]).await, MANY as f64);

    let sender = cluster.sender().await;
    let began = Instant::now();
    let mut tickets = Vec::new();
    for number in 0..MANY {
        tickets.push(
            sender.send_to_user(format!("user{number}"), "published").publish().await.expect("it is taken"),
        );
    }
    assert_all_reach(tickets, 1).await;
    println!("{MANY} published messages for users answered in {:?}", began.elapsed());
    let began = Instant::now();
    call_all((0..MANY).map(|number| sender.send_to_user(format!("user{number}"), "called"))).await;
    println!("{MANY} calls for users answered in {:?}", began.elapsed());
    for client in &mut clients {
        assert_eq!((client.text().await, client.text().await), ("published".to_owned(), "called".to_owned()));
    }
    cluster.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_sends_reach_the_one_member_of_a_group_in_order() {
    let mut cluster = Cluster::builder().workers(3).start().await;
    let mut member = cluster.client("alice-room7").await;
    let sender = cluster.sender().await;
    let began = Instant::now();
    let receiving = tokio::spawn(async move {
        for number in 0..MANY {
            assert_eq!(member.text().await, number.to_string());
        }
    });
    let mut tickets = Vec::new();
    for number in 0..MANY {
        tickets.push(sender.send_to_group("room7", number.to_string()).publish().await.expect("it is taken"));
    }
    assert_all_reach(tickets, 1).await;
    receiving.await.expect("all arrive");
    println!("{MANY} messages for a group arrived in {:?}", began.elapsed());
    cluster.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_calls_for_groups_are_answered_and_arrive_once() {
    const GROUPS: usize = 100;
    let mut cluster = Cluster::builder().workers(3).start().await;
    let members = (0..GROUPS).map(|number| format!("member{number}-room{number}"));
    let mut members = connect(&cluster, members.collect::<Vec<_>>().into_iter()).await;
    let sender = cluster.sender().await;
    let began = Instant::now();
    call_all(
        (0..MANY).map(|number| sender.send_to_group(format!("room{}", number % GROUPS), number.to_string())),
    )
    .await;
    println!("{MANY} calls for {GROUPS} groups answered in {:?}", began.elapsed());
    // They were under way together, so they come in any order; clients are connected in any order, too.
    let mut arrived = BTreeSet::new();
    for member in &mut members {
        let mut groups = BTreeSet::new();
        for _ in 0..MANY / GROUPS {
            let number: usize = member.text().await.parse().expect("a number");
            assert!(arrived.insert(number), "{number} arrived twice");
            groups.insert(number % GROUPS);
        }
        assert_eq!(groups.len(), 1, "each is in one group: {groups:?}");
    }
    assert_eq!(arrived.len(), MANY);
    cluster.assert_sound();
}
