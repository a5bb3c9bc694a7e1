//! The sender library while the ring changes: its pipeline keeps the order, and every receipt says delivered.

use std::time::Duration;

use ringway_e2e::{Client, Fleet, PATIENCE};
use ringway_sender::{Outcome, Sender};
use tokio::sync::watch;

const USERS: usize = 20;

fn user(number: usize) -> String {
    format!("user{number}")
}

/// Publishes to all users in turn, 2,000 messages in a second, until it is told to stop. Gives back how many each got.
async fn publish(sender: Sender, stop: watch::Receiver<bool>) -> usize {
    let (mut ticks, mut tickets, mut count) =
        (tokio::time::interval(Duration::from_millis(10)), Vec::new(), 0);
    while !*stop.borrow() {
        ticks.tick().await;
        for number in 0..USERS {
            let call = sender.send_to_user(user(number), count.to_string());
            tickets.push(call.publish().await.expect("it breaks no rule"));
        }
        count += 1;
    }
    for ticket in tickets {
        let receipt = ticket.await.expect("it is answered");
        assert_eq!((receipt.outcome, receipt.sessions), (Outcome::Delivered, 1), "{receipt:?}");
    }
    count
}

/// Reads what a client gets until this is told to be all. Holds that it comes in order, and nothing twice.
async fn read(mut client: Client, number: usize, mut all: watch::Receiver<Option<usize>>) {
    let mut next = 0;
    loop {
        tokio::select! {
            message = client.text() => {
                assert_eq!(message, next.to_string(), "{}", user(number));
                next += 1;
            }
            Ok(_) = all.wait_for(|all| all.is_some_and(|all| all <= next)) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn published_messages_keep_their_order_while_a_worker_joins_and_leaves() {
    let mut fleet = Fleet::gossip(3, 1, &[]).await;
    let (stop, stopped) = watch::channel(false);
    let (all, told) = watch::channel(None);
    let mut reading = tokio::task::JoinSet::new();
    for number in 0..USERS {
        let client = Client::connect(fleet.gateways[0].clients(), &user(number)).await;
        reading.spawn(read(client, number, told.clone()));
    }
    let publishing = tokio::spawn(publish(fleet.sender().await, stopped));
    for _ in 0..3 {
        fleet.add_worker().await;
        fleet.settled(4).await;
        let mut worker = fleet.workers.pop().expect("it was added");
        worker.process.terminate();
        let status = worker.process.exit(PATIENCE).await;
        assert!(status.success(), "{status}");
        fleet.settled(3).await;
    }
    stop.send_replace(true);
    let count = publishing.await.expect("every receipt says delivered");
    println!("{count} messages for each of {USERS} users");
    all.send_replace(Some(count));
    reading.join_all().await;
    fleet.assert_sound();
}
