//! What a client costs in memory: resident bytes of gateway and worker together, idle and after large messages. And what it
//! costs a worker that messages are stored for users who are away.

use std::time::{Duration, Instant};

use ringway_e2e::client::request;
use ringway_e2e::{Client, Cluster, PATIENCE, procfs};
use ringway_sender::{Sender, SenderConfig, Ticket};

/// The most that an idle client may cost, gateway and worker together.
const IDLE_BYTES_MAX: u64 = 4 * 1024;

fn resident(cluster: &Cluster) -> u64 {
    let nodes = cluster.workers.iter().chain(&cluster.gateways);
    nodes.map(|node| procfs::resident_bytes(node.process.id())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_clients_cost_at_most_4_kib_each() {
    const CLIENTS: usize = 10_000;
    let mut cluster = Cluster::start(1).await;
    let warm = cluster.connect(100).await;
    let before = resident(&cluster);
    let clients = cluster.connect(CLIENTS).await;
    let each = (resident(&cluster) - before) / CLIENTS as u64;
    println!("{CLIENTS} idle clients: {each} resident bytes each, gateway and worker together");
    assert!(each <= IDLE_BYTES_MAX, "an idle client costs {each} bytes");
    drop((warm, clients));
    cluster.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_leaves_nothing_behind() {
    const CLIENTS: usize = 1_000;
    let mut cluster = Cluster::builder().worker_arguments(&["--echo"]).start().await;
    let mut clients = cluster.connect(CLIENTS).await;
    let idle = resident(&cluster);
    let large = "x".repeat(64 * 1024);
    for client in &mut clients {
        client.send(large.as_str()).await;
        assert_eq!(client.text().await.len(), large.len());
    }
    // The allocator and the nodes' shared buffers settle; then 64 KiB each way must not be there any more.
    let bound = idle + (8 * 1024 * CLIENTS as u64);
    let deadline = Instant::now() + PATIENCE;
    let mut now = resident(&cluster);
    while now > bound && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
        now = resident(&cluster);
    }
    let each = now.saturating_sub(idle) / CLIENTS as u64;
    println!("after a message of 64 KiB each way: {each} resident bytes more for each client");
    assert!(now <= bound, "each client keeps {each} bytes of a message that is gone");
    cluster.assert_sound();
}

/// Clients that open sockets and never finish a handshake cost little, and go when their time is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_leaves_nothing_behind() {
    let mut cluster = Cluster::start(1).await;
    let address = cluster.clients();
    for _ in 0..100 {
        assert!(Client::open(address, request(address, "")).await.is_err());
    }
    let before = resident(&cluster);
    for _ in 0..2_000 {
        assert!(Client::open(address, request(address, "")).await.is_err());
    }
    let grown = resident(&cluster).saturating_sub(before);
    assert!(grown < 2 << 20, "2,000 refused handshakes left {grown} bytes");
    cluster.assert_sound();
}

/// How many messages are stored, of how many bytes, and by how much memory the worker may grow meanwhile.
const STORED: usize = 100_000;
const STORED_BYTES: usize = 200;
const STORED_RESIDENT_MAX: u64 = 64 << 20;
/// Messages of different senders for one user are stored together, those of one sender one after the other.
const SENDERS: usize = 50;
/// How many messages of a sender are under way: it is what is stored that is measured.
const UNDER_WAY_MAX: u32 = 100;

/// A worker with its mailboxes in a file.
struct Store {
    cluster: Cluster,
    _directory: tempfile::TempDir,
}

impl Store {
    async fn start(settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = format!(
            "[mailbox]\nstore = \"file\"\ndirectory = {:?}\n{settings}\n",
            directory.path().join("mail")
        );
        let cluster = Cluster::builder().config(&config).start().await;
        Self { cluster, _directory: directory }
    }

    /// The most that was ever resident of the worker.
    fn resident_most(&self) -> u64 {
        procfs::resident_bytes_most(self.cluster.workers[0].process.id())
    }

    async fn sender(&self) -> Sender {
        let node = self.cluster.gateways[0].url();
        let mut config = SenderConfig::new([node], self.cluster.secret().clone());
        config.publish.in_flight_max = UNDER_WAY_MAX;
        Sender::connect(config).await.expect("the gateway shows the ring")
    }

    /// Has all messages stored, each sender's own in order, and holds that the worker has not grown by more than it may.
    async fn fill(&self, user_of: impl Fn(usize, usize) -> String + Copy + Send + 'static) {
        let warm = self.sender().await;
        for number in 0..1_000 {
            warm.send_to_user("warm", text(0, number)).at_least_once().await.expect("it is stored");
        }
        let before = procfs::resident_bytes(self.cluster.workers[0].process.id());
        let mut sending = Vec::new();
        for sender in 0..SENDERS {
            sending.push(tokio::spawn(publish(self.sender().await, sender, user_of)));
        }
        for sent in sending {
            sent.await.expect("no panic");
        }
        // The most that it ever was: it is no less afterwards.
        let grown = self.resident_most().saturating_sub(before);
        println!("{STORED} stored messages: {} MiB, and {} MiB more", before >> 20, grown >> 20);
        assert!(grown <= STORED_RESIDENT_MAX, "the worker has grown by {grown} bytes");
    }
}

/// 200 bytes that say which sender's which message it is.
fn text(sender: usize, number: usize) -> String {
    format!("{sender:0100}{number:0100}")
}

fn read(text: &str) -> (usize, usize) {
    assert_eq!(text.len(), STORED_BYTES);
    let number = |text: &str| text.parse().expect("a number");
    (number(&text[..100]), number(&text[100..]))
}

/// Publishes a sender's share.
async fn publish(sender: Sender, number: usize, user_of: impl Fn(usize, usize) -> String) {
    let mut tickets: Vec<Ticket> = Vec::new();
    for message in 0..STORED / SENDERS {
        let call = sender.send_to_user(user_of(number, message), text(number, message)).at_least_once();
        tickets.push(call.deadline(10 * PATIENCE).publish().await.expect("it keeps to the rules"));
    }
    for ticket in tickets {
        ticket.await.expect("it is stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_messages_for_many_users_stay_on_the_disk_until_they_come() {
    const USERS: usize = 1_000;
    const EACH: usize = STORED / USERS;
    let mut store = Store::start("").await;
    // Each sender has users of its own, so the messages of each user are in order.
    let user_of = |sender: usize, message: usize| format!("user{}", sender + SENDERS * (message / EACH));
    store.fill(user_of).await;
    for user in 0..USERS {
        let mut client = store.cluster.client(&format!("user{user}")).await;
        for number in 0..EACH {
            let expected = (user % SENDERS, user / SENDERS * EACH + number);
            assert_eq!(read(&client.text().await), expected, "user{user}");
        }
        client.close().await;
    }
    println!("all of them were delivered; at the most {} MiB", store.resident_most() >> 20);
    store.cluster.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_messages_for_one_user_stay_on_the_disk_until_they_come() {
    let settings = format!("entries_max = {STORED}\nbytes_max = \"256MiB\"");
    let mut store = Store::start(&settings).await;
    store.fill(|_, _| "alice".to_owned()).await;
    let mut next = [0; SENDERS];
    let mut alice = store.cluster.client("alice").await;
    for _ in 0..STORED {
        let (sender, number) = read(&alice.text().await);
        assert_eq!(number, next[sender], "of sender {sender}");
        next[sender] += 1;
    }
    println!("all of them were delivered; at the most {} MiB", store.resident_most() >> 20);
    store.cluster.assert_sound();
}
