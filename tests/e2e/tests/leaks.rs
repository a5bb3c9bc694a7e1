//! Whoever is killed, and whenever: nobody else falls, and nothing of the dead stays behind.

use std::time::{Duration, Instant};

use ringway_e2e::{Client, Cluster, Node, PATIENCE, metrics, procfs};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Sends until a session of the user is reached.
async fn until_reached(sender: &ringway_sender::Sender, user: &str, text: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match sender.send_to_user(user, text).await {
            Ok(receipt) if receipt.sessions == 1 => return,
            outcome => assert!(Instant::now() < deadline, "{user}: {outcome:?}"),
        }
    }
}

/// Files and tasks that a process may have more of than before: the connection that asks for the number of tasks. Threads
/// are not counted down to the last one, since those for blocking work come and go.
const SLACK: u64 = 1;
const THREADS_SLACK: u64 = 2;
/// For how long a node starts nothing more before it counts as settled.
const STILL: Duration = Duration::from_secs(1);

/// What a process holds that must not grow.
#[derive(Clone, Copy, Debug)]
struct Holdings {
    files: u64,
    tasks: u64,
    threads: u64,
}

impl Holdings {
    async fn of(node: &Node) -> Self {
        let tasks = node.metrics().await.sum("ringway_process_tasks", &[]) as u64;
        assert!(tasks > 0, "{} does not tell its tasks", node.process.name());
        let id = node.process.id();
        Self { files: procfs::open_files(id) as u64, tasks, threads: procfs::threads(id) }
    }

    /// Once it has not grown for a while: parts of a node start after it is ready.
    async fn settled(node: &Node) -> Self {
        let mut most = Self::of(node).await;
        let mut grown_at = Instant::now();
        while grown_at.elapsed() < STILL {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = Self::of(node).await;
            if now.tasks > most.tasks {
                (most, grown_at) = (now, Instant::now());
            }
        }
        most
    }

    async fn all_settled(nodes: &[Node]) -> Vec<Self> {
        futures_util::future::join_all(nodes.iter().map(Self::settled)).await
    }

    fn are_within(&self, before: &Self) -> bool {
        self.files <= before.files + SLACK
            && self.tasks <= before.tasks + SLACK
            && self.threads <= before.threads + THREADS_SLACK
    }
}

/// Waits until a process holds no more than before.
async fn until_released(node: &Node, before: Holdings) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = Holdings::of(node).await;
        if now.are_within(&before) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{} holds {now:?}, and held {before:?} before",
            node.process.name()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a worker has nothing of any client.
async fn until_forgotten(worker: &Node) {
    for gauge in ["sessions", "users", "groups", "link_queue_bytes"] {
        metrics::until(worker.status(), &format!("ringway_worker_{gauge}"), &[], |value| value == 0.0).await;
    }
}

/// Waits until a gateway has nothing of any client.
async fn until_left(gateway: &Node) {
    for gauge in ["connections", "queue_bytes", "link_queue_bytes"] {
        metrics::until(gateway.status(), &format!("ringway_gateway_{gauge}"), &[], |value| value == 0.0)
            .await;
    }
}

/// Waits until the workers have so many sessions in all.
async fn until_sessions(cluster: &Cluster, expected: f64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sessions = cluster.over_workers("ringway_worker_sessions", &[]).await;
        if sessions == expected {
            return;
        }
        assert!(Instant::now() < deadline, "the workers have {sessions} sessions, not {expected}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One client that ends in one of the ways in which clients end.
async fn live_and_die(server: std::net::SocketAddr, number: usize) {
    let token = format!("user{}-room{}", number % 300, number % 7);
    match number % 5 {
        0 => Client::connect(server, &token).await.close().await,
        1 => drop(Client::connect(server, &token).await),
        2 => Client::connect(server, &token).await.kill(),
        3 => {
            let mut client = Client::connect(server, &token).await;
            client.send("x".repeat(100_000)).await;
            client.kill();
        }
        // Gone while the handshake is under way.
        _ => {
            let mut stream = TcpStream::connect(server).await.expect("the gateway listens");
            let request = format!(
                "GET /ws?token={token} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            let part = if number.is_multiple_of(2) { request.len() } else { request.len() / 2 };
            stream.write_all(&request.as_bytes()[..part]).await.expect("the gateway reads");
            stream.set_zero_linger().expect("an open socket takes options");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_come_and_die_and_leave_nothing() {
    let mut cluster = Cluster::builder().workers(2).worker_arguments(&["--echo"]).start().await;
    live_and_die(cluster.clients(), 0).await;
    until_sessions(&cluster, 0.0).await;
    let workers = Holdings::all_settled(&cluster.workers).await;
    let gateway = Holdings::settled(&cluster.gateways[0]).await;
    for round in 0..10 {
        let (server, mut living) = (cluster.clients(), JoinSet::new());
        for number in 0..100 {
            living.spawn(live_and_die(server, round * 100 + number));
        }
        living.join_all().await;
    }
    until_left(&cluster.gateways[0]).await;
    until_released(&cluster.gateways[0], gateway).await;
    for (worker, before) in cluster.workers.iter().zip(workers) {
        until_forgotten(worker).await;
        until_released(worker, before).await;
    }
    cluster.assert_sound();
    let mut alice = cluster.client("alice").await;
    cluster.sender().await.send_to_user("alice", "still fine").await.expect("it is taken");
    assert_eq!(alice.text().await, "still fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_leaves_no_sessions() {
    let mut cluster = Cluster::builder().workers(2).gateways(2).start().await;
    let _stays = Client::connect(cluster.gateways[1].clients(), "stays").await;
    until_sessions(&cluster, 1.0).await;
    let workers = Holdings::all_settled(&cluster.workers).await;
    for _ in 0..3 {
        let mut clients = Vec::new();
        for number in 0..200 {
            clients.push(cluster.client(&format!("user{number}-room")).await);
        }
        until_sessions(&cluster, 201.0).await;
        // Killed with sends under way.
        let sender = cluster.sender().await;
        let sending = tokio::spawn(async move {
            for number in 0..2_000 {
                sender
                    .send_to_user(format!("user{}-room", number % 200), "hello")
                    .await
                    .expect("it is answered");
            }
        });
        cluster.gateways[0].restart().await;
        until_sessions(&cluster, 1.0).await;
        sending.await.expect("every send is answered");
    }
    for (worker, before) in cluster.workers.iter().zip(workers) {
        until_released(worker, before).await;
    }
    cluster.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_loses_no_socket_and_leaves_nothing_behind() {
    const CLIENTS: usize = 150;
    let mut cluster = Cluster::builder().workers(3).start().await;
    let gateway = Holdings::settled(&cluster.gateways[0]).await;
    for _ in 0..3 {
        let view = cluster.sender().await.views().current();
        let (mut on_it, mut elsewhere) = (Vec::new(), Vec::new());
        for number in 0..CLIENTS {
            let user = format!("user{number}");
            let client = cluster.client(&user).await;
            let is_on_it = view.owner(&user).is_some_and(|owner| owner.id.as_str() == "w1");
            if is_on_it { on_it.push((user, client)) } else { elsewhere.push((user, client)) }
        }
        assert!(on_it.len() > 20 && elsewhere.len() > 20);
        cluster.workers[0].process.kill().await;
        let sender = cluster.sender().await;
        for (user, client) in &mut elsewhere {
            assert_eq!(
                sender.send_to_user(user.as_str(), "unharmed").await.expect("it is taken").sessions,
                1
            );
            assert_eq!(client.text().await, "unharmed");
        }
        cluster.workers[0].restart().await;
        for (user, client) in &mut on_it {
            until_reached(&sender, user, "back").await;
            assert_eq!(client.text().await, "back", "the same socket, behind the worker's next life");
        }
        drop((on_it, elsewhere));
        until_left(&cluster.gateways[0]).await;
        until_sessions(&cluster, 0.0).await;
    }
    until_released(&cluster.gateways[0], gateway).await;
    cluster.assert_sound();
}
