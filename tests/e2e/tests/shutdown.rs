//! Processes that are asked to end do so in order, and say good-bye.

use std::time::Duration;

use ringway_e2e::http::get;
use ringway_e2e::{Cluster, PATIENCE, metrics};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ends_tells_its_clients() {
    let config = "[gateway]\ndrain_window = \"200ms\"";
    let mut cluster = Cluster::builder().workers(2).config(config).start().await;
    let clients = cluster.connect(50).await;
    cluster.gateways[0].process.terminate();
    for client in clients {
        assert_eq!(client.closed().await.0, 1001, "the gateway goes away: reconnect");
    }
    assert!(cluster.gateways[0].process.exit(PATIENCE).await.success());
    for worker in &cluster.workers {
        metrics::until(worker.status(), "ringway_worker_sessions", &[], |sessions| sessions == 0.0).await;
        metrics::until(worker.status(), "ringway_worker_links", &[], |links| links == 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_closes_its_sessions() {
    let mut cluster = Cluster::start(1).await;
    let mut alice = cluster.client("alice").await;
    cluster.sender().await.send_to_user("alice", "last words").await.expect("it is taken");
    cluster.workers[0].process.terminate();
    assert_eq!(alice.text().await, "last words");
    let (code, _) = alice.closed().await;
    assert!([1001, 1012].contains(&code), "{code} does not say reconnect");
    assert!(cluster.workers[0].process.exit(PATIENCE).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_unready_before_it_ends() {
    let config = "[gateway]\nunready_for = \"2s\"\ndrain_window = \"100ms\"";
    let mut cluster = Cluster::builder().config(config).start().await;
    let (clients, status) = (cluster.clients(), cluster.gateways[0].status());
    let gateway = &mut cluster.gateways[0].process;
    gateway.terminate();
    let unready = async {
        while get(status, "/readyz").await.status == 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, unready).await.expect("it says that it is not ready");
    // A load balancer that has not noticed yet is still served.
    ringway_e2e::Client::connect(clients, "late").await.close().await;
    assert!(gateway.exit(PATIENCE).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_a_fixed_list_ends_while_a_sender_holds_a_stream_to_it() {
    // Much longer than this test has patience.
    let config = "[node]\nshutdown_timeout = \"10m\"";
    let mut cluster = Cluster::builder().workers(2).config(config).start().await;
    let sender = cluster.sender().await;
    let mut tickets = Vec::new();
    for number in 0..20 {
        tickets.push(
            sender.send_to_user(format!("user{number}"), "hello").publish().await.expect("it is taken"),
        );
    }
    for ticket in tickets {
        ticket.await.expect("it is answered");
    }
    cluster.workers[0].process.terminate();
    assert!(cluster.workers[0].process.exit(PATIENCE).await.success());
}
