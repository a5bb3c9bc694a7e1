//! The registry that the configuration names. A further kind of registry is a further arm of [`open`].

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ringway_cluster::{Registry, StaticRegistry};
use ringway_registry_gossip::{GossipConfig, GossipRegistry};
use tokio::net::TcpListener;

use super::bind::{address_of, bind_udp};
use super::running::Running;
use super::{Process, parts};
use crate::config::{HostPort, RegistryKind};

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
    let cluster = &process.config.settings.cluster;
    match cluster.registry {
        RegistryKind::Static => {
            let registry = StaticRegistry::new(cluster.members.0.iter().map(parts::member))?;
            Ok(OpenRegistry { registry: Arc::new(registry), gossip: None })
        }
        RegistryKind::Gossip => {
            let gossip = gossip(process, node, rpc).await?;
            Ok(OpenRegistry { registry: Arc::new(gossip.clone()), gossip: Some(gossip) })
        }
    }
}

impl OpenRegistry {
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
