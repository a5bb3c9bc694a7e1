//! What a delivery costs in system calls, at the worker and at the gateway.
//!
//! A message alone is read by the worker, which answers, passes it on, and waits for the next; and read by the gateway, which
//! writes it to its client and waits. Of many at a time only the writes to the clients are left, one for each.
//!
//! What the processes do besides, such as to renew their leases, is some 50 calls in a second: the messages are many enough
//! for it not to count. The tests run one at a time, since whoever is traced is slow.

use ringway_e2e::strace::{Calls, Strace};
use ringway_e2e::{Client, Cluster};
use ringway_sender::{Outcome, Receipt, Sender, Ticket};
use tokio::sync::Mutex;

const CLIENTS: usize = 500;
const ROUNDS: usize = 10;

/// Several threads would wake each other now and then, and pings would count.
const CONFIG: &str = "[node]\nthreads = 1\n[gateway]\nping_interval = \"1h\"\nidle_timeout = \"2h\"\n";

static ALONE: Mutex<()> = Mutex::const_new(());

/// Calls for each delivery.
#[derive(Clone, Copy)]
struct Budget {
    worker: f64,
    gateway: f64,
}

impl Budget {
    /// Holds that it suffices, while something is sent that every client gets: [`ROUNDS`] times, each when the one before is there.
    async fn holds_for(self, sending: impl AsyncFn(&Sender, usize)) {
        let _alone = ALONE.lock().await;
        let mut cluster = Cluster::builder().config(CONFIG).start().await;
        let sender = cluster.sender().await;
        let mut clients = cluster.connect(CLIENTS).await;
        // The first one has things made that stay.
        sending(&sender, 0).await;
        receive(&mut clients, 0).await;
        let Some(worker) = Strace::attach(&cluster.workers[0].process).await else { return };
        let Some(gateway) = Strace::attach(&cluster.gateways[0].process).await else { return };
        for round in 1..=ROUNDS {
            sending(&sender, round).await;
            receive(&mut clients, round).await;
        }
        let (worker, gateway) = (worker.finish().await, gateway.finish().await);
        assert_within("the worker", &worker, self.worker);
        assert_within("the gateway", &gateway, self.gateway);
        let writes = gateway.of(&["sendto", "sendmsg", "write", "writev"]);
        assert!(writes >= (CLIENTS * ROUNDS) as u64, "each is written by itself: {gateway}");
        cluster.assert_sound();
    }
}

async fn receive(clients: &mut [Client], round: usize) {
    for client in clients {
        assert_eq!(client.text().await, round.to_string());
    }
}

fn assert_within(process: &str, calls: &Calls, each_max: f64) {
    let each = calls.all() as f64 / (CLIENTS * ROUNDS) as f64;
    println!("{process}: {each:.3} calls for each delivery; {calls}");
    assert!(each <= each_max, "{process} makes {each} system calls for a delivery, not {each_max}: {calls}");
}

fn user(number: usize) -> String {
    format!("user{number}")
}

fn assert_delivered(receipt: &Receipt, sessions: usize) {
    let expected = (Outcome::Delivered, sessions as u32);
    assert_eq!((receipt.outcome, receipt.sessions), expected, "{receipt:?}");
}

async fn publish(sender: &Sender, number: usize, round: usize) -> Ticket {
    let ticket = sender.send_to_user(user(number), round.to_string()).publish().await;
    ticket.expect("it complies with the rules")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unary_message_alone() {
    // An HTTP/2 request may come in two parts.
    let budget = Budget { worker: 6.0, gateway: 3.3 };
    let sending = async |sender: &Sender, round: usize| {
        for number in 0..CLIENTS {
            let receipt = sender.send_to_user(user(number), round.to_string()).await;
            assert_delivered(&receipt.expect("it is taken"), 1);
        }
    };
    budget.holds_for(sending).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_message_alone() {
    let budget = Budget { worker: 4.4, gateway: 3.3 };
    let sending = async |sender: &Sender, round: usize| {
        for number in 0..CLIENTS {
            let receipt = publish(sender, number, round).await.await;
            assert_delivered(&receipt.expect("it is taken"), 1);
        }
    };
    budget.holds_for(sending).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn published_messages_many_at_a_time() {
    let budget = Budget { worker: 0.5, gateway: 1.1 };
    let sending = async |sender: &Sender, round: usize| {
        let mut tickets = Vec::new();
        for number in 0..CLIENTS {
            tickets.push(publish(sender, number, round).await);
        }
        for ticket in tickets {
            assert_delivered(&ticket.await.expect("it is taken"), 1);
        }
    };
    budget.holds_for(sending).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_all() {
    let budget = Budget { worker: 0.1, gateway: 1.05 };
    let sending = async |sender: &Sender, round: usize| {
        let receipt = sender.send_to_all(round.to_string()).await;
        assert_delivered(&receipt.expect("it is taken"), CLIENTS);
    };
    budget.holds_for(sending).await;
}
