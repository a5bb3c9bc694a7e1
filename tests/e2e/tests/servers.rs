//! Clusters whose members are in etcd or in Nacos, as processes.

use ringway_e2e::server::{Kind, Server};
use ringway_e2e::{Client, Fleet, PATIENCE, Seat};

/// Workers come, die and leave; the server is killed, and the ring stays until it is back.
async fn a_cluster_lives(kind: Kind) {
    let Some(mut server) = Server::start(kind).await else { return };
    let settings = server.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(["worker.echo=true"]).collect();
    let mut fleet = Fleet::new(&settings);
    fleet.add_worker().await;
    fleet.add_worker().await;
    fleet.add_gateway_at(Seat::here(), &[]).await;
    let [first, second] = &mut fleet.workers[..] else { panic!("there are two") };
    let gateway = &fleet.gateways[0];
    let both = ["w1 active", "w2 active"];
    for node in [&*first, &*second, gateway] {
        node.shows(&both).await;
    }
    second.process.kill().await;
    gateway.shows(&["w1 active"]).await;
    second.start_again().await;
    for node in [&*first, &*second, gateway] {
        node.shows(&both).await;
    }

    // All have seen the same before the server goes.
    server.stop().await;
    let mut alice = Client::connect(gateway.clients(), "alice").await;
    alice.send("hello").await;
    assert_eq!(alice.text().await, "hello");
    for node in [&mut *first, &mut *second] {
        for warning in ["the registry cannot be seen", "the member's lease cannot be renewed"] {
            node.process.error_line(warning, |line| line.contains(warning)).await;
        }
        assert_eq!(node.members().await, both);
    }
    assert_eq!(gateway.members().await, both);
    server.start_again().await;
    for node in [&mut *first, &mut *second] {
        let again = |line: &str| line.contains("the member's lease is renewed again");
        node.process.error_line("the lease's renewal", again).await;
    }
    gateway.shows(&both).await;
    alice.send("hello again").await;
    assert_eq!(alice.text().await, "hello again");

    second.process.terminate();
    assert!(second.process.exit(PATIENCE).await.success());
    gateway.shows(&["w1 active"]).await;
    first.process.assert_sound();
}

#[tokio::test]
async fn workers_and_gateways_find_each_other_in_etcd() {
    a_cluster_lives(Kind::Etcd).await;
}

#[tokio::test]
async fn workers_and_gateways_find_each_other_in_nacos() {
    a_cluster_lives(Kind::Nacos).await;
}
