//! The network fails at one place: between a worker and the registry, or between a gateway and a worker.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use ringway_e2e::listener::Way;
use ringway_e2e::netns::Network;
use ringway_e2e::proxy::Proxy;
use ringway_e2e::scene::Scene;
use ringway_e2e::server::{Kind, Server};
use ringway_e2e::{Fleet, Seat, address, metrics};

const CLIENTS: usize = 2_000;

fn half_raw(number: usize) -> Way {
    if number.is_multiple_of(2) { Way::Raw } else { Way::V1 }
}

/// A cluster in etcd, of which one worker goes by the proxy.
async fn fleet_in(etcd: &Server, proxy: &Proxy) -> Fleet {
    let mut fleet = Fleet::new(&["cluster.registry=etcd", "etcd.lease_ttl=2s"]);
    let [direct, by_proxy] =
        [etcd.address(), proxy.address].map(|address| format!("etcd.endpoints=http://{address}"));
    for endpoints in [&direct, &by_proxy, &direct, &direct] {
        fleet.add_worker_at(Seat::here(), &[endpoints]).await;
    }
    for _ in 0..2 {
        fleet.add_gateway_at(Seat::here(), &[&direct]).await;
    }
    fleet.settled(4).await;
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_notices_a_worker_that_is_cut_off_from_the_registry() {
    let Some(etcd) = Server::start(Kind::Etcd).await else { return };
    let proxy = Proxy::before(etcd.address()).await;
    let scene = Scene::set_on(fleet_in(&etcd, &proxy), CLIENTS, half_raw).await;

    let (began, moved) = (Instant::now(), scene.moved().await);
    proxy.cut();
    scene.fleet.settled_without(1, 3).await;
    println!("it is missed after {:?}", began.elapsed());
    scene.left(1).await;
    scene.heard_since(scene.now()).await;
    scene.tell("a worker was cut off from the registry", began, moved).await;

    let (began, moved) = (Instant::now(), scene.moved().await);
    proxy.heal();
    scene.calm(4).await;
    scene.tell("it is back", began, moved).await;
    let (account, mut fleet) = scene.end().await;
    account.assert_complete();
    assert!(account.ends.is_empty(), "{account}");
    // Members of groups may be reached without being counted, while their worker is on nobody's list.
    assert!(account.short.iter().all(|case| case.stream.starts_with("group")), "{account}");
    fleet.assert_sound();
}

/// Workers that gossip, and a gateway that learns the ring from them; over links that are each worker's own.
async fn fleet_over(network: &Network) -> Fleet {
    let mut fleet = Fleet::new(&["rpc.keepalive_interval=1s", "rpc.keepalive_timeout=1s"]);
    let seed = address::reserve_at(network.worker(0).ip);
    fleet.seed_at(seed);
    for number in 0..3 {
        let seeds = format!("gossip.seeds={seed}");
        fleet.add_worker_at(network.worker(number), &["cluster.registry=gossip", &seeds]).await;
    }
    let nodes: Vec<_> = fleet.workers.iter().map(|worker| worker.url().to_string()).collect();
    fleet.add_gateway_at(network.gateway(), &[&format!("cluster.nodes={}", nodes.join(","))]).await;
    fleet.settled(3).await;
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_stay_while_their_gateway_is_cut_off_from_a_worker() {
    let Some(network) = Network::new(3) else { return };
    let scene = Scene::set_on(fleet_over(&network), CLIENTS, half_raw).await;
    let users = scene.users_of(0).await;

    let (began, moved, cut) = (Instant::now(), scene.moved().await, scene.now());
    network.cut(0);
    // Until both have given their connections up.
    let links = ["worker=\"w1\"", "state=\"up\""];
    metrics::until(scene.fleet.gateways[0].status(), "ringway_gateway_links", &links, |up| up == 0.0).await;
    metrics::until(scene.fleet.workers[0].status(), "ringway_worker_links", &[], |links| links == 0.0).await;
    let cut_for = began.elapsed();
    network.mend(0);
    scene.heard_since(scene.now()).await;
    println!(
        "{} sessions were cut off for {cut_for:?}; all served again after {:?}",
        users.len(),
        began.elapsed()
    );
    scene.calm(3).await;
    scene.tell("a gateway was cut off from a worker", began, moved).await;

    let (began, moved) = (Instant::now(), scene.moved().await);
    network.cut(0);
    scene.fleet.operate("drain w1").await;
    scene.calm(2).await;
    let served = scene.now();
    scene.tell("it was cut off again, and the worker drained", began, moved).await;
    network.mend(0);

    let raw = scene.crowd.listeners.iter().filter(|listener| listener.way == Way::Raw);
    let raw_users: HashSet<String> = raw.map(|listener| listener.user.clone()).collect();
    let (account, mut fleet) = scene.end().await;
    assert!(account.repeated.is_empty() && account.late.is_empty(), "{account}");
    assert!(account.ends.is_empty() && account.strange.is_empty(), "{account}");
    // What was on a raw client's link is lost. Clients of the protocol have not acknowledged it: they get it again.
    let is_raw = |user: &String| raw_users.contains(user);
    assert!(account.missed.iter().all(|case| case.missing.iter().all(is_raw)), "{account}");
    for case in account.missed.iter().chain(&account.doubtful).chain(&account.refused) {
        let begun = cut.saturating_sub(Duration::from_secs(1));
        assert!(begun < case.at && case.at < served, "{case}");
        assert!(case.missing.iter().all(|user| users.contains(user)), "{case}");
    }
    fleet.assert_sound();
}
