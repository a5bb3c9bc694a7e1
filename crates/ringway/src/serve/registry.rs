//! The registry that the configuration names. A further kind of registry is a further arm of [`open`].

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ringway_cluster::{Lease, Member, Registry, RegistryError, StaticRegistry};
use ringway_registry_dns::{DnsConfig, DnsRegistry, Question};
use ringway_registry_etcd::EtcdRegistry;
use ringway_registry_gossip::{GossipConfig, GossipRegistry};
use ringway_registry_nacos::NacosRegistry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::bind::{address_of, bind_udp};
use super::running::Running;
use super::{Process, parts};
use crate::config::{Config, HostPort, RegistryKind, Settings};

/// How long the farewell to the other nodes may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A registry in use, and what there is to do for it at the end.
pub(super) struct OpenRegistry {
    /// The registry.
    pub(super) registry: Arc<dyn Registry>,
    gossip: Option<GossipRegistry>,
}

/// Makes the registry for the node of this name, whose gRPC server listens at `rpc`.
///
/// # Errors
/// Why it cannot be used.
pub(super) async fn open(process: &Process, node: &str, rpc: &TcpListener) -> anyhow::Result<OpenRegistry> {
    let Config { settings: Settings { cluster, .. }, checked, .. } = &*process.config;
    match cluster.registry {
        RegistryKind::Static => {
            let registry = StaticRegistry::new(cluster.members.0.iter().map(parts::member))?;
            Ok(OpenRegistry::new(registry))
        }
        RegistryKind::Dns => Ok(OpenRegistry::new(dns(process).await?)),
        RegistryKind::Gossip => {
            let gossip = gossip(process, node, rpc).await?;
            Ok(OpenRegistry { gossip: Some(gossip.clone()), ..OpenRegistry::new(gossip) })
        }
        RegistryKind::Etcd => {
            let config = checked.etcd.as_ref().context("etcd.endpoints is missing")?;
            Ok(OpenRegistry::new(EtcdRegistry::connect(config).await?))
        }
        RegistryKind::Nacos => {
            let config = checked.nacos.clone().context("nacos.servers is missing")?;
            Ok(OpenRegistry::new(NacosRegistry::connect(config).await?))
        }
    }
}

impl OpenRegistry {
    fn new(registry: impl Registry) -> Self {
        Self { registry: Arc::new(registry), gossip: None }
    }

    /// Puts a member on the list. Where others write the list it may not be on it yet: then it waits until it is, or until
    /// the shutdown, and nothing comes of it.
    ///
    /// # Errors
    /// Why the registry does not take it.
    pub(super) async fn join(
        &self,
        member: &Member,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Option<Box<dyn Lease>>> {
        let mut lists = self.registry.watch();
        loop {
            lists.mark_unchanged();
            match self.registry.join(member.clone()).await {
                Ok(lease) => return Ok(Some(lease)),
                Err(error @ RegistryError::NotListed { .. }) => warn!(%error, "waiting until it is listed"),
                Err(error) => return Err(error.into()),
            }
            match shutdown.run_until_cancelled(lists.changed()).await {
                Some(changed) => changed.context("the registry has ended")?,
                None => return Ok(None),
            }
        }
    }

    /// Adds the phase of the shutdown in which the registry is told that this node goes. It should be the last one.
    pub(super) fn end_with(self, running: &mut Running) {
        let Some(gossip) = self.gossip else { return };
        running.phase("the registry is told", FAREWELL);
        running.start("the gossip", |stop| async move {
            stop.cancelled().await;
            gossip.close().await;
            Ok(())
        });
    }
}

async fn gossip(process: &Process, node: &str, rpc: &TcpListener) -> anyhow::Result<GossipRegistry> {
    let (section, secret) = (&process.config.settings.gossip, process.config.checked.secret.clone());
    let socket = match section.listen {
        Some(address) => bind_udp(address, "gossip.listen").await?,
        None => bind_udp(address_of(rpc)?, "gossip.listen, by default as node.rpc_listen").await?,
    };
    let config = GossipConfig {
        cluster: section.cluster.clone(),
        seeds: section.seeds.iter().map(|HostPort(seed)| seed.clone()).collect(),
        advertise: section.advertise,
        interval: section.interval,
        failure_timeout: section.failure_timeout,
        alone_after: section.alone_after,
        ..GossipConfig::new(node, secret.context("cluster.secret is missing")?)
    };
    Ok(GossipRegistry::start(socket, config).await?)
}

async fn dns(process: &Process) -> anyhow::Result<DnsRegistry> {
    let section = &process.config.settings.dns;
    let name = section.name.as_deref().context("dns.name is missing")?;
    let config = DnsConfig {
        server: section.server,
        interval_min: section.interval_min,
        interval_max: section.interval_max,
        timeout: section.timeout,
        ..DnsConfig::new(Question::new(name, section.port)?)
    };
    Ok(DnsRegistry::start(config, process.end.clone()).await?)
}
