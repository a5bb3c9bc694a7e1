//! What a client costs in memory: resident bytes of gateway and worker together, idle and after large messages.

use std::time::{Duration, Instant};

use ringway_e2e::client::request;
use ringway_e2e::{Client, Cluster, PATIENCE, procfs};

/// The most that an idle client may cost, gateway and worker together.
const IDLE_BYTES_MAX: u64 = 6 * 1024;

fn resident(cluster: &Cluster) -> u64 {
    let nodes = cluster.workers.iter().chain(&cluster.gateways);
    nodes.map(|node| procfs::resident_bytes(node.process.id())).sum()
}

async fn connect(cluster: &Cluster, clients: usize) -> Vec<Client> {
    let mut connected = Vec::with_capacity(clients);
    for number in 0..clients {
        connected.push(cluster.client(&format!("user{number}")).await);
    }
    connected
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_clients_cost_at_most_6_kib_each() {
    const CLIENTS: usize = 10_000;
    let mut cluster = Cluster::start(1).await;
    let warm = connect(&cluster, 100).await;
    let before = resident(&cluster);
    let clients = connect(&cluster, CLIENTS).await;
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
    let mut clients = connect(&cluster, CLIENTS).await;
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
