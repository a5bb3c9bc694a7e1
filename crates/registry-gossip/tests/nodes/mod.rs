//! Nodes on this machine that gossip fast.

// Not every test binary uses everything.
#![allow(dead_code)]

use std::time::Duration;

use ringway_cluster::{Member, MemberList, Registry as _};
use ringway_registry_gossip::{GossipConfig, GossipRegistry};
use ringway_rpc::ClusterSecret;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// When a silent node is dead.
pub(crate) const FAILURE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long news may take, on a busy machine.
pub(crate) const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// A configuration with short times.
pub(crate) fn config() -> GossipConfig {
    GossipConfig {
        interval: Duration::from_millis(50),
        failure_timeout: FAILURE_TIMEOUT,
        alone_after: Duration::from_secs(20),
        first_contact: Duration::from_millis(300),
        ..GossipConfig::new("node", secret("0123456789abcdef"))
    }
}

/// A secret.
pub(crate) fn secret(text: &str) -> ClusterSecret {
    ClusterSecret::new(text).expect("a good secret")
}

/// A further node that begins with `seed`, with something different about it.
pub(crate) async fn start(
    seed: Option<&GossipRegistry>,
    change: impl FnOnce(&mut GossipConfig),
) -> GossipRegistry {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let seeds = seed.into_iter().map(|node| node.address().to_string()).collect();
    let mut config = GossipConfig { seeds, ..config() };
    change(&mut config);
    GossipRegistry::start(socket, config).await.expect("a node")
}

/// The member of this number.
pub(crate) fn member(number: usize) -> Member {
    let id = format!("w{number}").parse().expect("a good id");
    let url = format!("http://127.0.0.1:{}", 7000 + number).parse().expect("a good url");
    Member::new(id, url)
}

/// Waits until a node shows exactly these members.
pub(crate) async fn shows(node: &GossipRegistry, expected: &[&str], within: Duration) {
    sees(node, &format!("{expected:?}"), within, |list| ids(list) == expected).await;
}

/// Waits until a node shows a list that is right.
pub(crate) async fn sees(
    node: &GossipRegistry,
    what: &str,
    within: Duration,
    right: impl Fn(&[Member]) -> bool,
) {
    let mut lists = node.watch();
    if timeout(within, lists.wait_for(|list| right(list))).await.is_err() {
        panic!("not in {within:?}: {what}; it shows {:?}", ids(&node.watch().borrow()));
    }
}

/// The names on a list.
pub(crate) fn ids(list: &[Member]) -> Vec<&str> {
    list.iter().map(|member| member.id.as_str()).collect()
}

/// The list that a node shows now.
pub(crate) fn present(node: &GossipRegistry) -> MemberList {
    node.watch().borrow().clone()
}
