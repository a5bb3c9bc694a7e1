//! What every test with clients or sends needs to know: where the cluster is, and who the clients are.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ringway_rpc::{ClusterSecret, NodeUrl, PoolConfig};
use ringway_sender::{PublishConfig, Sender, SenderConfig};

use crate::beat::beside;
use crate::bounds::Reach;
use crate::clients::{Crowd, Identities, Plan, Sources, Target, Way};
use crate::machine::{Process, Watch, files};
use crate::progress::Progress;
use crate::traffic::Arrivals;

/// The largest payload that any cluster can be told to take.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// The clients of a test.
#[derive(Debug)]
pub struct ClientsConfig {
    /// Where they connect.
    pub target: Target,
    /// From which addresses; none: 127.0.0.2, .3, … at loopback, any elsewhere.
    pub sources: Vec<IpAddr>,
    /// Who they are.
    pub identities: Identities,
    /// What they speak.
    pub way: Way,
    /// How many there are.
    pub count: usize,
    /// How many more may come and go beside them.
    pub others: usize,
    /// How many connect in a second.
    pub per_second: f64,
    /// How long a handshake may take.
    pub within: Duration,
}

/// The way to the cluster for a back end.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Any node.
    pub node: NodeUrl,
    /// The cluster's secret.
    pub secret: ClusterSecret,
    /// How long a send may take.
    pub deadline: Duration,
}

/// Which processes of this machine are watched.
#[derive(Clone, Debug, Default)]
pub struct WatchConfig {
    /// These; none: those that listen at the ports that the test uses.
    pub processes: Vec<Process>,
}

impl ClientsConfig {
    /// Nobody yet, of as many as this machine allows.
    pub(crate) fn crowd(self, arrivals: Arc<Arrivals>) -> anyhow::Result<Crowd> {
        let most = self.count + self.others;
        files::allow(most)?;
        let sources = Sources::new(&self.sources, self.target.address, most);
        let Self { target, identities, way, within, .. } = self;
        Ok(Crowd::new(Arc::new(Plan { target, sources, identities, way, within }), arrivals))
    }

    /// All of them, connected, or the reason why they are not.
    pub(crate) async fn connected(
        self,
        arrivals: Arc<Arrivals>,
        progress: &mut Progress,
    ) -> anyhow::Result<Crowd> {
        let (count, per_second) = (self.count, self.per_second);
        let mut crowd = self.crowd(arrivals)?;
        let connections = Arc::clone(&crowd.connections);
        beside(crowd.gather(0..count, per_second), || {
            progress.show(format_args!("{} of {count} clients are connected", connections.open_now()));
        })
        .await?;
        let failures: Vec<_> =
            connections.failures().iter().map(|(cause, times)| format!("{times} times {cause}")).collect();
        ensure!(
            failures.is_empty(),
            "{} of {count} clients are connected; the others were not: {}",
            connections.opened_so_far(),
            failures.join(", "),
        );
        Ok(crowd)
    }

    /// Whether each client is a member of the group to which is sent, and of no other.
    pub(crate) fn check_groups(&self) -> anyhow::Result<()> {
        let names = &self.identities;
        ensure!(
            names.groups < 2 || names.group.tells_groups_apart(),
            "--group has no {{g}}: the {} groups would be one",
            names.groups
        );
        ensure!(names.groups <= self.count, "there are more groups than clients: some would have no members");
        Ok(names.check_groups()?)
    }

    /// The names of all users.
    pub(crate) fn users(&self) -> Vec<String> {
        (0..self.count).map(|client| self.identities.user(client)).collect()
    }

    /// The names of all groups that have members.
    pub(crate) fn groups(&self) -> Vec<String> {
        (0..self.identities.groups.clamp(1, self.count)).map(|group| self.identities.group(group)).collect()
    }

    /// An empty account for these clients.
    pub(crate) fn arrivals(&self) -> Arc<Arrivals> {
        Arc::new(Arrivals::new(rand::random(), self.count, self.groups().len()))
    }
}

impl ClusterConfig {
    /// A sender that has so many messages under way at the most.
    pub(crate) async fn sender(&self, under_way_max: usize) -> anyhow::Result<Sender> {
        let publish = PublishConfig {
            in_flight_max: u32::try_from(under_way_max).unwrap_or(u32::MAX),
            ..PublishConfig::default()
        };
        let pool = PoolConfig { message_bytes_max: MESSAGE_BYTES_MAX, ..PoolConfig::default() };
        let config = SenderConfig::new([self.node.clone()], self.secret.clone());
        let config = SenderConfig { publish, pool, deadline: self.deadline, ..config };
        let connecting = tokio::time::timeout(self.deadline, Sender::connect(config)).await;
        let connected = connecting.with_context(|| format!("{} did not answer in time", self.node))?;
        connected.with_context(|| format!("{} is no node of the cluster", self.node))
    }
}

impl WatchConfig {
    /// The processes that are named, or those that listen there, as far as that is on this machine.
    pub(crate) fn watch(&self, target: Option<&Target>, node: Option<&NodeUrl>) -> anyhow::Result<Watch> {
        let node = node.map(resolve).transpose()?.into_iter().flatten();
        let addresses = target.map(|target| target.address).into_iter().chain(node);
        let here = addresses.filter(|address| address.ip().is_loopback());
        let ports: Vec<u16> = here.map(|address| address.port()).collect();
        Ok(Watch::new(&self.processes, &ports)?)
    }
}

/// Whether a node may be asked to send.
///
/// # Errors
/// When it may not, or its host has no address.
pub(crate) fn check_node(reach: Reach, node: &NodeUrl) -> anyhow::Result<()> {
    for address in resolve(node)? {
        reach.check(node.as_str(), address)?;
    }
    Ok(())
}

fn resolve(node: &NodeUrl) -> anyhow::Result<Vec<SocketAddr>> {
    let found =
        node.authority().to_socket_addrs().with_context(|| format!("{node}: there is no such host"))?;
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_a_node_must_be_allowed() {
        let check = |node: &str, allowed: bool| {
            assert_eq!(check_node(Reach::Loopback, &node.parse().unwrap()).is_ok(), allowed, "{node}");
        };
        check("http://127.0.0.1:7070", true);
        check("http://[::1]:7070", true);
        check("http://localhost:7070", true);
        check("http://10.0.0.1:7070", false);
        check("http://nowhere.invalid:7070", false);
        assert!(check_node(Reach::Anywhere, &"http://10.0.0.1:7070".parse().unwrap()).is_ok());
    }
}
