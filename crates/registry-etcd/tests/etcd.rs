//! The registry in etcd passes the suite that every registry must pass, with a real etcd; and what is special about it.

mod support;

#[allow(dead_code, reason = "it also knows of registries with other natures")]
#[path = "../../cluster/tests/registry_suite/mod.rs"]
mod registry_suite;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use registry_suite::fixture::{Fixture, Membership, Nature, Reach};
use registry_suite::watcher::{Watcher, find};
use ringway_cluster::{Lease, Member, MemberState, Registry, RegistryError};
use ringway_registry_etcd::{Credentials, EtcdConfig, EtcdRegistry, EtcdTls};

use support::{Etcd, Log, PATIENCE, Wire, left_out};

registry_suite!(async { EtcdFixture(Etcd::start().await) }, unless left_out());

struct EtcdFixture(Etcd);

#[async_trait]
impl Fixture for EtcdFixture {
    async fn handle(&self) -> Box<dyn Registry> {
        Box::new(connect(&self.0.config()).await)
    }

    fn member(&self, number: usize) -> Member {
        member(number)
    }

    fn nature(&self) -> Nature {
        Nature {
            membership: Membership::Open,
            reach: Reach::Cluster,
            time_to_live: Duration::from_secs(4),
            settles_within: Duration::from_secs(5),
        }
    }
}

#[tokio::test]
async fn the_list_and_the_members_outlast_an_outage() {
    if left_out() {
        return;
    }
    let (log, mut etcd) = (Log::take(), Etcd::start().await);
    let (registry, lease, mut watcher) = joined(&etcd.config()).await;
    etcd.stop();
    let lapsed = valid_until(&*lease);
    tokio::time::sleep_until(lapsed.into()).await;
    assert_eq!(valid_until(&*lease), lapsed, "a lease became longer while nobody could renew it");
    assert!(find(&watcher.present(), &member(0)).is_some(), "the list became emptier");
    let draining = Member { state: MemberState::Draining, ..member(0) };
    let refused = lease.update(draining.clone()).await;
    assert!(matches!(refused, Err(RegistryError::Unreachable { registry: "etcd", .. })), "{refused:?}");

    etcd.start_again().await;
    watcher
        .until("what was wanted meanwhile is shown", |list| find(list, &draining) == Some(&draining))
        .await;
    until_valid(&*lease).await;
    assert_eq!(log.lines(&["WARN", "the registry cannot be seen"]), 1);
    assert_eq!(log.lines(&["INFO", "the registry can be seen again"]), 1);
    drop(registry);
}

#[tokio::test]
async fn a_member_whose_lease_is_gone_comes_back() {
    if left_out() {
        return;
    }
    let mut etcd = Etcd::start().await;
    let (_registry, lease, mut watcher) = joined(&etcd.config()).await;
    etcd.delete("/ringway/members/w%2F0").await;
    watcher.until("it is deleted", |list| list.is_empty()).await;
    watcher.until("it is back", |list| find(list, &member(0)).is_some()).await;
    etcd.stop();
    etcd.start_empty().await;
    until_valid(&*lease).await;
    let late = connect(&etcd.config()).await;
    Watcher::new(&late, PATIENCE)
        .until("it is in the new etcd", |list| find(list, &member(0)).is_some())
        .await;
}

#[tokio::test]
async fn a_member_that_joined_elsewhere_meanwhile_does_not_come_back() {
    if left_out() {
        return;
    }
    let etcd = Etcd::start().await;
    let wire = Wire::to(etcd.address()).await;
    let (registry, lease, _) = joined(&EtcdConfig { endpoints: vec![wire.url()], ..etcd.config() }).await;
    wire.cut();
    let elsewhere = Member { incarnation: 7, ..member(0) };
    let other = connect(&etcd.config()).await;
    let _later = other.join(elsewhere.clone()).await.expect("etcd takes it");
    wire.mend();
    let mut watcher = Watcher::new(&registry, PATIENCE);
    watcher.until("the later one is seen", |list| find(list, &elsewhere) == Some(&elsewhere)).await;
    let refused = lease.update(member(0)).await;
    assert!(matches!(refused, Err(RegistryError::Superseded { .. })), "{refused:?}");
    assert!(valid_until(&*lease) <= Instant::now(), "a superseded lease goes on being valid");
    let mut watcher = Watcher::new(&other, PATIENCE);
    let during = Duration::from_secs(3);
    watcher
        .never("the former one came back", during, |list| find(list, &elsewhere) != Some(&elsewhere))
        .await;
}

#[tokio::test]
async fn what_was_compacted_while_the_watch_was_cut_is_listed_anew() {
    if left_out() {
        return;
    }
    let etcd = Etcd::start().await;
    let wire = Wire::to(etcd.address()).await;
    let (_registry, _lease, mut watcher) =
        joined(&EtcdConfig { endpoints: vec![wire.url()], ..etcd.config() }).await;
    wire.cut();
    let other = connect(&etcd.config()).await;
    let leaving = other.join(member(1)).await.expect("etcd takes it");
    let _staying = other.join(member(2)).await.expect("etcd takes it");
    leaving.leave().await.expect("the lease is alive");
    etcd.compact().await;
    wire.mend();
    let right = |list: &[Member]| find(list, &member(2)).is_some() && find(list, &member(1)).is_none();
    watcher.until("what happened meanwhile is seen", right).await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_clearly() {
    if left_out() {
        return;
    }
    let etcd = Etcd::start().await;
    etcd.enable_authentication("right").await;
    let config = |password: &str| {
        let credentials = Credentials { user: "root".to_owned(), password: password.to_owned() };
        EtcdConfig { credentials: Some(credentials), ..etcd.config() }
    };
    let (_registry, _lease, _watcher) = joined(&config("right")).await;
    for (config, expected) in [
        (config("wrong"), "authentication failed, invalid user ID or password"),
        (etcd.config(), "user name is empty"),
    ] {
        let error = EtcdRegistry::connect(&config).await.err().expect("it is refused").to_string();
        assert!(error.starts_with("the registry etcd refuses") && error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_ours_is_passed_over_with_a_warning() {
    if left_out() {
        return;
    }
    let (log, etcd) = (Log::take(), Etcd::start().await);
    for (key, value) in
        [("/ringway/members/w%31", "{}"), ("/ringway/members/a/b", "x"), ("/ringway/members/w9", "[1")]
    {
        etcd.put(key, value).await;
    }
    let (_registry, _lease, mut watcher) = joined(&etcd.config()).await;
    assert_eq!(log.lines(&["WARN", "is passed over"]), 3);
    etcd.put("/ringway/members/w%2F0", r#"{"version":2}"#).await;
    etcd.put("/ringway/members/later", "").await;
    let other = connect(&etcd.config()).await;
    let _lease = other.join(member(1)).await.expect("etcd takes it");
    watcher.until("members are still seen", |list| find(list, &member(1)).is_some()).await;
    assert_eq!(watcher.present().len(), 2, "{:#?}", watcher.present());
}

#[tokio::test]
async fn an_etcd_that_is_not_there_is_said_to_be_so() {
    let config = EtcdConfig::new(["http://127.0.0.1:1", "http://127.0.0.1:2"]);
    let error = EtcdRegistry::connect(&config).await.err().expect("nobody is there").to_string();
    for part in
        ["the registry etcd cannot be reached", "127.0.0.1:1: ", "127.0.0.1:2: ", "Connection refused"]
    {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn etcd_is_reached_by_tls_with_certificates_of_both_sides() {
    if left_out() {
        return;
    }
    let (etcd, tls) = with_tls().await;
    let config = EtcdConfig { tls: tls.clone(), ..etcd.config() };
    let (_registry, _lease, _watcher) = joined(&config).await;
    for tls in [EtcdTls::default(), EtcdTls { identity_pem: None, ..tls }] {
        let refused = EtcdRegistry::connect(&EtcdConfig { tls, ..etcd.config() }).await.err();
        assert!(matches!(refused, Some(RegistryError::Unreachable { .. })), "{refused:?}");
    }
}

/// An etcd that wants certificates, and those that it takes.
async fn with_tls() -> (Etcd, EtcdTls) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut ca = CertificateParams::new(Vec::new()).expect("good parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("a key");
    let ca_pem = ca.self_signed(&ca_key).expect("a certificate").pem();
    let issuer = Issuer::new(ca, ca_key);
    let signed = |name: &str| {
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new(vec![name.to_owned()]).expect("good parameters");
        (parameters.signed_by(&key, &issuer).expect("a certificate").pem(), key.serialize_pem())
    };
    let (server, client) = (signed("127.0.0.1"), signed("client"));
    let home = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        path.display().to_string()
    };
    let arguments = vec![
        "--client-cert-auth".to_owned(),
        format!("--trusted-ca-file={}", file("ca.pem", &ca_pem)),
        format!("--cert-file={}", file("server.pem", &server.0)),
        format!("--key-file={}", file("server.key", &server.1)),
    ];
    let identity_pem = Some((client.0.into_bytes(), client.1.into_bytes()));
    let tls = EtcdTls { ca_pem: Some(ca_pem.into_bytes()), identity_pem };
    (Etcd::start_with("https", arguments, home).await, tls)
}

/// A registry with member 0 in it, which is seen.
async fn joined(config: &EtcdConfig) -> (EtcdRegistry, Box<dyn Lease>, Watcher) {
    let registry = connect(config).await;
    let lease = registry.join(member(0)).await.expect("etcd takes it");
    let mut watcher = Watcher::new(&registry, PATIENCE);
    watcher.until("the member is seen", |list| find(list, &member(0)).is_some()).await;
    (registry, lease, watcher)
}

async fn connect(config: &EtcdConfig) -> EtcdRegistry {
    EtcdRegistry::connect(config).await.expect("etcd answers")
}

fn valid_until(lease: &dyn Lease) -> Instant {
    lease.valid_until().expect("leases of etcd end")
}

/// Waits until a lease is valid again.
async fn until_valid(lease: &dyn Lease) {
    let deadline = Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while valid_until(lease) <= Instant::now() {
        assert!(Instant::now() < deadline, "the lease is not valid again within {PATIENCE:?}");
        look.tick().await;
    }
}

/// A member whose name has to be escaped.
fn member(number: usize) -> Member {
    let id = format!("w/{number}").parse().expect("a good id");
    let url = format!("http://127.0.0.1:{}", 7000 + number).parse().expect("a good url");
    Member::new(id, url)
}
