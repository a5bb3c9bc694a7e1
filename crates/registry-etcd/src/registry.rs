//! The registry itself: who is in it, and joining it.

use std::sync::Arc;

use async_trait::async_trait;
use ringway_cluster::{Lease, Member, MemberList, Registry, RegistryError, RegistryHealth, keep};
use tokio::sync::watch;

use crate::config::EtcdConfig;
use crate::connector::Connector;
use crate::error::REGISTRY;
use crate::keys::Keys;
use crate::place::EtcdPlace;
use crate::watch::WatchTask;

/// Members that are keys of an etcd cluster. It watches for as long as somebody holds it or a receiver of its lists; its
/// leases live on without it.
pub struct EtcdRegistry {
    etcd: Arc<Etcd>,
    lists: watch::Receiver<MemberList>,
}

/// What watching and leasing have in common.
pub(crate) struct Etcd {
    pub(crate) connector: Connector,
    pub(crate) keys: Keys,
    /// In seconds.
    pub(crate) lease_ttl: i64,
}

impl EtcdRegistry {
    /// Asks etcd for the members, and goes on watching them.
    ///
    /// # Errors
    /// [`RegistryError::Unreachable`] or [`RegistryError::Refused`] if there is no first list: every endpoint is asked
    /// once. `Refused` also for endpoints that cannot be used.
    pub async fn connect(config: &EtcdConfig) -> Result<Self, RegistryError> {
        let etcd = Arc::new(Etcd {
            connector: Connector::new(config)?,
            keys: Keys::new(&config.prefix),
            lease_ttl: i64::try_from(config.lease_ttl.as_secs().max(1)).unwrap_or(i64::MAX),
        });
        let health = RegistryHealth::new(REGISTRY);
        let (task, lists) = WatchTask::begin(Arc::clone(&etcd), health).await?;
        tokio::spawn(task.run());
        Ok(Self { etcd, lists })
    }
}

#[async_trait]
impl Registry for EtcdRegistry {
    async fn join(&self, member: Member) -> Result<Box<dyn Lease>, RegistryError> {
        Ok(keep(EtcdPlace::take(Arc::clone(&self.etcd), member).await?))
    }

    fn watch(&self) -> watch::Receiver<MemberList> {
        self.lists.clone()
    }
}
