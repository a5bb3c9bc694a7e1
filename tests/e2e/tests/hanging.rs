//! A worker that hangs: one sender's messages for users of the others arrive all the same.

use std::time::Duration;

use ringway_e2e::{Client, Cluster, Node, PATIENCE};
use ringway_sender::{Outcome, Sender, SenderConfig, Ticket};
use rustix::process::Signal;

/// Far beyond what a message takes, and far below [`DEADLINE`].
const PROMPTLY: Duration = Duration::from_secs(10);
/// Longer than this test.
const DEADLINE: Duration = Duration::from_secs(90);
/// Of each message. Together they are more than the bytes that may be under way to one worker, and all that systems buffer.
const PAYLOAD_BYTES: usize = 64 * 1024;
const TO_THE_STOPPED: usize = 700;
const TO_THE_OTHER: usize = 50;
/// Nothing is lost of what comes at once when the worker goes on.
const SETTINGS: &str = "[sessions]\nqueue_bytes_max = \"256MiB\"\n";

/// Continues a worker also when the test fails, so that it can be ended.
struct Stopped<'a>(&'a Node);

impl<'a> Stopped<'a> {
    fn stop(node: &'a Node) -> Self {
        node.process.signal(Signal::STOP);
        Stopped(node)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.process.signal(Signal::CONT);
    }
}

/// Publishes so many messages to a user, numbered.
async fn publish(sender: &Sender, user: &str, count: usize) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    for number in 0..count {
        let call = sender.send_to_user(user, payload(number));
        let publishing = tokio::time::timeout(PROMPTLY, call.publish());
        tickets.push(publishing.await.expect("there is room for it").expect("it breaks no rule"));
    }
    tickets
}

fn payload(number: usize) -> String {
    format!("{number}{}", " ".repeat(PAYLOAD_BYTES))
}

/// Reads so many messages of a client, which come in order, and of each receipt that it was delivered.
async fn read(client: &mut Client, tickets: Vec<Ticket>, patience: Duration) {
    let reading = async {
        for (number, ticket) in tickets.into_iter().enumerate() {
            assert_eq!(client.text().await.trim_end(), number.to_string());
            let receipt = ticket.await.expect("it is answered");
            assert_eq!((receipt.outcome, receipt.sessions), (Outcome::Delivered, 1), "{receipt:?}");
        }
    };
    tokio::time::timeout(patience, reading).await.expect("the messages come in time");
}

/// Users of the first worker and of the second.
fn users(sender: &Sender, cluster: &Cluster) -> [String; 2] {
    let view = sender.views().current();
    let user_of = |worker: &Node| {
        let owned = |user: &String| view.owner(user).is_some_and(|owner| owner.id.as_str() == worker.name());
        (0..).map(|n| format!("user{n}")).find(owned).expect("each worker owns some")
    };
    [0, 1].map(|worker| user_of(&cluster.workers[worker]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_holds_up_no_message_for_users_of_another_one() {
    // The list of workers is a fixed one: nobody takes the stopped one off it.
    let mut cluster = Cluster::builder().workers(2).config(SETTINGS).start().await;
    let mut config = SenderConfig::new([cluster.gateways[0].url()], cluster.secret().clone());
    (config.deadline, config.pool.keepalive_interval) = (DEADLINE, DEADLINE);
    let sender = Sender::connect(config).await.expect("a ring");
    let [hangs, runs] = users(&sender, &cluster);
    let (mut of_stopped, mut of_other) = (cluster.client(&hangs).await, cluster.client(&runs).await);
    for (client, user) in [(&mut of_stopped, &hangs), (&mut of_other, &runs)] {
        let tickets = publish(&sender, user, 1).await;
        read(client, tickets, PATIENCE).await;
    }

    let stopped = Stopped::stop(&cluster.workers[0]);
    let held = publish(&sender, &hangs, TO_THE_STOPPED).await;
    let tickets = publish(&sender, &runs, TO_THE_OTHER).await;
    read(&mut of_other, tickets, PROMPTLY).await;
    drop(stopped);
    read(&mut of_stopped, held, PATIENCE).await;
    cluster.assert_sound();
}
