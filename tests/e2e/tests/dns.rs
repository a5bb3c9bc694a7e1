//! A cluster whose list is in the DNS, where no worker can say that it leaves.

#[allow(dead_code, reason = "the registry's own tests ask it for more")]
#[path = "../../../crates/registry-dns/tests/server/mod.rs"]
mod server;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hickory_resolver::proto::op::ResponseCode;
use ringway_e2e::{Client, Fleet, PATIENCE, Seat, address};
use server::Server;

const CLIENTS: usize = 20;

/// Two addresses that nobody else has.
fn addresses() -> [IpAddr; 2] {
    let IpAddr::V4(own) = address::own_ip() else { panic!("it is IPv4") };
    // Those of other test processes have less than 128 there.
    let [first, second, third, fourth] = own.octets();
    [own.into(), Ipv4Addr::new(first, second | 128, third, fourth).into()]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_notices_a_worker_that_stops_when_its_record_has_gone() {
    let (addresses, port) = (addresses(), address::reserve().port());
    let records = addresses.map(|ip| server::address(&ip.to_string()));
    let dns = Server::start(records.to_vec()).await;
    // They ask again long after the time that any other registry would take.
    dns.live(86_400);
    let (server, port_setting) = (format!("dns.server={}", dns.address), format!("dns.port={port}"));
    let mut fleet = Fleet::new(&[
        "cluster.registry=dns",
        "dns.name=workers.example",
        "dns.interval_max=15s",
        &server,
        &port_setting,
        "worker.echo=true",
    ]);
    for ip in addresses {
        let seat = Seat { ip, namespace: None };
        fleet.add_worker_as(&ip.to_string(), SocketAddr::new(ip, port), seat, &[]).await;
    }
    fleet.add_gateway_at(Seat::here(), &[]).await;
    fleet.settled(2).await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(Client::connect(fleet.gateways[0].clients(), &format!("user{number}")).await);
    }

    let mut leaver = fleet.workers.remove(0);
    assert!(leaver.metrics().await.sum("ringway_worker_sessions", &[]) > 0.0);
    leaver.process.terminate();
    let [_, stays] = records;
    dns.answer(ResponseCode::NoError, vec![stays]);
    let status = leaver.process.exit(2 * PATIENCE).await;
    assert!(status.success(), "{status}");
    for client in &mut clients {
        client.send("still here").await;
        assert_eq!(client.text().await, "still here");
    }
    fleet.settled(1).await;
    fleet.assert_sound();
}
