//! The registry in Nacos passes the suite that every registry must pass, with a real server (r-nacos); and what is
//! special about it.

mod support;

#[allow(dead_code, reason = "it also knows of registries with other natures")]
#[path = "../../cluster/tests/registry_suite/mod.rs"]
mod registry_suite;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use registry_suite::fixture::{Fixture, Membership, Nature, Reach};
use registry_suite::watcher::{Watcher, find};
use ringway_cluster::{Lease, Member, MemberState, Registry, RegistryError};
use ringway_registry_nacos::{Credentials, NacosConfig, NacosRegistry};

use support::{Log, Nacos, PATIENCE, Wire, left_out};

registry_suite!(async { NacosFixture(Nacos::start().await) }, unless left_out());

struct NacosFixture(Nacos);

#[async_trait]
impl Fixture for NacosFixture {
    async fn handle(&self) -> Box<dyn Registry> {
        Box::new(connect(self.0.config()).await)
    }

    fn member(&self, number: usize) -> Member {
        member(number)
    }

    fn nature(&self) -> Nature {
        Nature {
            membership: Membership::Open,
            reach: Reach::Cluster,
            // The server sees at once that the connection of a dropped lease ends.
            time_to_live: Duration::from_secs(4),
            settles_within: Duration::from_secs(8),
        }
    }
}

#[tokio::test]
async fn the_list_outlasts_an_outage_and_the_members_come_back() {
    if left_out() {
        return;
    }
    let (log, mut nacos) = (Log::take(), Nacos::start().await);
    let (_registry, lease, mut watcher) = joined(nacos.config()).await;
    assert!(valid_until(&*lease) > Instant::now());
    nacos.stop();
    until(|| valid_until(&*lease) <= Instant::now()).await;
    let draining = Member { state: MemberState::Draining, ..member(0) };
    let refused = lease.update(draining.clone()).await;
    assert!(matches!(refused, Err(RegistryError::Unreachable { registry: "nacos", .. })), "{refused:?}");
    until(|| log.lines(&["WARN", "the registry cannot be seen"]) == 1).await;
    assert!(find(&watcher.present(), &member(0)).is_some(), "the list became emptier");

    nacos.start_again().await;
    watcher
        .until("what was wanted meanwhile is shown", |list| find(list, &draining) == Some(&draining))
        .await;
    until(|| valid_until(&*lease) > Instant::now()).await;
    until(|| log.lines(&["INFO", "the registry can be seen again"]) == 1).await;
    assert_eq!(log.lines(&["WARN", "the registry cannot be seen"]), 1);
    let late = connect(nacos.config()).await;
    Watcher::new(&late, PATIENCE)
        .until("it is in the server again", |list| find(list, &draining).is_some())
        .await;
}

#[tokio::test]
async fn a_member_that_does_not_come_back_stays_for_the_removal_time() {
    if left_out() {
        return;
    }
    let mut nacos = Nacos::start().await;
    let removal_after = Duration::from_secs(3);
    let (registry, _lease, mut watcher) = joined(NacosConfig { removal_after, ..nacos.config() }).await;
    let other = connect(nacos.config()).await;
    let leaving = other.join(member(1)).await.expect("nacos takes it");
    watcher.until("both are seen", |list| list.len() == 2).await;
    nacos.stop();
    drop((leaving, other));
    nacos.start_again().await;
    let mut list = Watcher::new(&registry, PATIENCE);
    list.never("a member was lost too early", Duration::from_secs(2), |list| list.len() < 2).await;
    list.until("the other one is gone", |list| find(list, &member(1)).is_none()).await;
    assert!(find(&list.present(), &member(0)).is_some(), "the one that came back is gone too");
}

#[tokio::test]
async fn a_restart_at_another_address_wins_over_the_former_instance() {
    if left_out() {
        return;
    }
    let nacos = Nacos::start().await;
    let wire = Wire::to(nacos.grpc_address()).await;
    let port = wire.url().rsplit(':').next().and_then(|port| port.parse().ok());
    let (_registry, lease, _) = joined(NacosConfig { grpc_port: port, ..nacos.config() }).await;
    let restarted = Member { incarnation: 7, rpc_url: member(1).rpc_url, ..member(0) };
    let other = connect(nacos.config()).await;
    wire.cut();
    let _later = other.join(restarted.clone()).await.expect("nacos takes it");
    until(|| valid_until(&*lease) <= Instant::now()).await;
    wire.mend();
    until(|| valid_until(&*lease) <= Instant::now()).await;
    let mut watcher = Watcher::new(&other, PATIENCE);
    watcher.until("the restarted one is seen", |list| find(list, &restarted) == Some(&restarted)).await;
    let during = Duration::from_secs(5);
    watcher
        .never("the former one came back", during, |list| find(list, &restarted) != Some(&restarted))
        .await;
    let refused = lease.update(member(0)).await;
    assert!(matches!(refused, Err(RegistryError::Superseded { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_clearly() {
    if left_out() {
        return;
    }
    let variables = [
        ("RNACOS_ENABLE_OPEN_API_AUTH", "true"),
        ("RNACOS_INIT_ADMIN_USERNAME", "boss"),
        ("RNACOS_INIT_ADMIN_PASSWORD", "right & proper"),
    ];
    let nacos = Nacos::start_with(&variables).await;
    let config = |password: &str| {
        let credentials = Credentials { user: "boss".to_owned(), password: password.to_owned() };
        NacosConfig { credentials: Some(credentials), ..nacos.config() }
    };
    // Its users are there a moment after it takes connections.
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = NacosRegistry::connect(config("right & proper")).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (_registry, _lease, _watcher) = joined(config("right & proper")).await;
    for (config, expected) in [(config("wrong"), "login as boss: 403"), (nacos.config(), "unknown user")] {
        let error = NacosRegistry::connect(config).await.err().expect("it is refused").to_string();
        assert!(error.starts_with("the registry nacos refuses") && error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_ours_is_passed_over_with_a_warning() {
    if left_out() {
        return;
    }
    let (log, nacos) = (Log::take(), Nacos::start().await);
    nacos.register_stranger(1).await;
    let (_registry, _lease, mut watcher) = joined(nacos.config()).await;
    assert_eq!(watcher.present().len(), 1);
    until(|| log.lines(&["WARN", "is passed over", "10.9.9.9:1"]) == 1).await;
    nacos.register_stranger(2).await;
    until(|| log.lines(&["WARN", "is passed over", "10.9.9.9:2"]) == 1).await;
    watcher.until("the member is still seen", |list| list.len() == 1).await;
    assert_eq!(log.lines(&["WARN", "is passed over", "10.9.9.9:1"]), 1, "it was told twice");
}

#[tokio::test]
async fn a_server_that_keeps_the_first_metadata_is_told_of() {
    if left_out() {
        return;
    }
    let nacos = Nacos::start_with(&[("RNACOS_NAMING_INSTANCE_METADATA_PERSISTENCE_ENABLE", "true")]).await;
    let (_registry, lease, _) = joined(nacos.config()).await;
    let draining = Member { state: MemberState::Draining, ..member(0) };
    let error = lease.update(draining).await.expect_err("it is not shown").to_string();
    assert!(error.contains("does not show it as it is"), "{error}");
}

#[tokio::test]
async fn a_nacos_that_is_not_there_is_said_to_be_so() {
    let config = NacosConfig::new(["127.0.0.1:1", "127.0.0.1:2"]);
    let error = NacosRegistry::connect(config).await.err().expect("nobody is there").to_string();
    for part in
        ["the registry nacos cannot be reached", "127.0.0.1:1: ", "127.0.0.1:2: ", "Connection refused"]
    {
        assert!(error.contains(part), "{error}");
    }
}

/// A registry with member 0 in it, which is seen.
async fn joined(config: NacosConfig) -> (NacosRegistry, Box<dyn Lease>, Watcher) {
    let registry = connect(config).await;
    let lease = registry.join(member(0)).await.expect("nacos takes it");
    let mut watcher = Watcher::new(&registry, PATIENCE);
    watcher.until("the member is seen", |list| find(list, &member(0)).is_some()).await;
    (registry, lease, watcher)
}

async fn connect(config: NacosConfig) -> NacosRegistry {
    NacosRegistry::connect(config).await.expect("nacos answers")
}

fn valid_until(lease: &dyn Lease) -> Instant {
    lease.valid_until().expect("leases of nacos end")
}

async fn until(right: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while !right() {
        assert!(Instant::now() < deadline, "it did not happen within {PATIENCE:?}");
        look.tick().await;
    }
}

fn member(number: usize) -> Member {
    let id = format!("w/{number}").parse().expect("a good id");
    let url = format!("http://127.0.0.1:{}", 7000 + number).parse().expect("a good url");
    Member::new(id, url)
}
