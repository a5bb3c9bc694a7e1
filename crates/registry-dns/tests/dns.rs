//! The registry against a name server: the suite, and what becomes of answers that change or fail.

// The suite knows registries of other natures too.
#[allow(dead_code)]
#[path = "../../cluster/tests/registry_suite/mod.rs"]
mod registry_suite;

mod server;

use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RData;
use ringway_cluster::{Member, Registry};
use ringway_registry_dns::{DnsConfig, DnsRegistry, Question};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use registry_suite::fixture::{Fixture, Membership, Nature, Reach};
use server::{Server, address, service};

/// How long news may take.
const SOON: Duration = Duration::from_secs(10);

registry_suite!(async { DnsFixture(Server::start((0..3).map(srv).collect()).await) });

struct DnsFixture(Server);

#[async_trait]
impl Fixture for DnsFixture {
    async fn handle(&self) -> Box<dyn Registry> {
        Box::new(services(&self.0).await)
    }

    fn member(&self, number: usize) -> Member {
        let host = format!("w{number}.example");
        let url = format!("http://{host}:707{number}").parse().expect("a good url");
        Member::new(host.parse().expect("a good id"), url)
    }

    fn nature(&self) -> Nature {
        Nature {
            membership: Membership::Listed,
            reach: Reach::Process,
            time_to_live: Duration::ZERO,
            settles_within: Duration::from_secs(1),
        }
    }
}

#[tokio::test]
async fn other_records_are_other_members() {
    let server = Server::start(vec![srv(0), srv(1)]).await;
    let registry = services(&server).await;
    shows(&registry, &["w0.example", "w1.example"]).await;
    server.answer(ResponseCode::NoError, vec![srv(1), srv(2)]);
    shows(&registry, &["w1.example", "w2.example"]).await;
}

#[tokio::test]
async fn answers_that_fail_or_name_nobody_change_nothing() {
    let server = Server::start(vec![srv(0)]).await;
    let registry = services(&server).await;
    let bad = [
        (ResponseCode::ServFail, vec![]),
        (ResponseCode::NXDomain, vec![]),
        (ResponseCode::NoError, vec![]),
        (ResponseCode::NoError, vec![service(".", 7070)]),
        (ResponseCode::NoError, vec![srv(1), service("w1.example.", 7075)]),
    ];
    let mut lists = registry.watch();
    for (code, records) in bad {
        server.answer(code, records.clone());
        let changes = timeout(Duration::from_millis(200), lists.wait_for(|list| list.len() != 1)).await;
        assert!(changes.is_err(), "{code}: {records:?}");
        shows(&registry, &["w0.example"]).await;
    }
    server.answer(ResponseCode::NoError, vec![srv(2)]);
    shows(&registry, &["w2.example"]).await;
}

#[tokio::test]
async fn addresses_are_members_too() {
    let server = Server::start(vec![address("10.0.0.2"), address("10.0.0.1")]).await;
    let registry = start(&server, "workers.example.", Some(7071)).await;
    shows(&registry, &["10.0.0.1", "10.0.0.2"]).await;
    assert_eq!(registry.watch().borrow()[0].rpc_url.as_str(), "http://10.0.0.1:7071");
}

#[tokio::test]
async fn a_name_that_has_no_records_yet_is_asked_again() {
    let server = Server::start(vec![]).await;
    let registry = services(&server).await;
    shows(&registry, &[]).await;
    server.answer(ResponseCode::NoError, vec![srv(0)]);
    shows(&registry, &["w0.example"]).await;
}

#[tokio::test]
async fn a_long_life_of_the_records_is_bounded() {
    let server = Server::start(vec![srv(0)]).await;
    server.live(86_400);
    let registry = services(&server).await;
    server.answer(ResponseCode::NoError, vec![srv(1)]);
    shows(&registry, &["w1.example"]).await;
}

async fn services(server: &Server) -> DnsRegistry {
    start(server, "_rpc._tcp.workers.example.", None).await
}

async fn start(server: &Server, name: &str, port: Option<u16>) -> DnsRegistry {
    let config = DnsConfig {
        server: Some(server.address),
        interval_min: Duration::from_millis(20),
        interval_max: Duration::from_millis(100),
        ..DnsConfig::new(Question::new(name, port).expect("a good question"))
    };
    DnsRegistry::start(config, CancellationToken::new()).await.expect("it can be asked")
}

fn srv(number: u16) -> RData {
    service(&format!("w{number}.example."), 7070 + number)
}

async fn shows(registry: &DnsRegistry, expected: &[&str]) {
    let ids = |list: &[Member]| list.iter().map(|member| member.id.to_string()).collect::<Vec<_>>();
    let mut lists = registry.watch();
    let shown = timeout(SOON, lists.wait_for(|list| ids(list) == expected)).await;
    assert!(shown.is_ok(), "it shows {:?}, not {expected:?}", ids(&registry.watch().borrow()));
}
