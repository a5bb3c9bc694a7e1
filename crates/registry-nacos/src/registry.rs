//! The registry itself: who is in it, and joining it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ringway_cluster::{Lease, Member, MemberList, Registry, RegistryError, RegistryHealth, keep};
use tokio::sync::watch;

use crate::config::NacosConfig;
use crate::connection::Connection;
use crate::error::{NacosError, REGISTRY};
use crate::login::Login;
use crate::message::{Instance, Registration};
use crate::place::NacosPlace;
use crate::watch::WatchTask;

/// Members that are instances of a Nacos service. It watches for as long as somebody holds it or a receiver of its
/// lists; its leases live on without it.
pub struct NacosRegistry {
    nacos: Arc<Nacos>,
    lists: watch::Receiver<MemberList>,
}

/// What watching and leasing have in common.
pub(crate) struct Nacos {
    pub(crate) config: NacosConfig,
    login: Login,
    /// Which server is asked next, counted on and on: whoever lost one goes to another.
    next: AtomicUsize,
}

impl NacosRegistry {
    /// Asks Nacos for the members, and goes on watching them.
    ///
    /// # Errors
    /// [`RegistryError::Unreachable`] or [`RegistryError::Refused`] if there is no first list: every server is asked
    /// once. `Refused` also for servers that cannot be used.
    pub async fn connect(config: NacosConfig) -> Result<Self, RegistryError> {
        if config.servers.is_empty() {
            return Err(NacosError::Refused("no server was given".to_owned()).into());
        }
        let login = Login::new(config.credentials.clone());
        let nacos = Arc::new(Nacos { config, login, next: AtomicUsize::new(0) });
        let (task, lists) = WatchTask::begin(Arc::clone(&nacos), RegistryHealth::new(REGISTRY)).await?;
        tokio::spawn(task.run());
        Ok(Self { nacos, lists })
    }
}

#[async_trait]
impl Registry for NacosRegistry {
    async fn join(&self, member: Member) -> Result<Box<dyn Lease>, RegistryError> {
        Ok(keep(NacosPlace::take(Arc::clone(&self.nacos), member).await?))
    }

    fn watch(&self) -> watch::Receiver<MemberList> {
        self.lists.clone()
    }
}

impl Nacos {
    /// A connection to the first server that answers; each is asked once.
    pub(crate) async fn connect(&self) -> Result<Connection, NacosError> {
        let mut failures = Vec::new();
        for _ in &self.config.servers {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.config.servers.len();
            match Connection::open(&self.config.servers[turn], &self.config, &self.login).await {
                Ok(connection) => return Ok(connection),
                Err(NacosError::Unreachable(reason)) => failures.push(reason),
                Err(refused) => return Err(refused),
            }
        }
        Err(NacosError::Unreachable(failures.join("; ")))
    }

    pub(crate) async fn query(&self, connection: &Connection) -> Result<Vec<Instance>, NacosError> {
        connection.query(&self.config, &self.login).await
    }

    pub(crate) async fn subscribe(&self, connection: &Connection) -> Result<(), NacosError> {
        connection.subscribe(&self.config, &self.login).await
    }

    pub(crate) async fn register(
        &self,
        connection: &Connection,
        registration: Registration,
        instance: &Instance,
    ) -> Result<(), NacosError> {
        connection.register(&self.config, &self.login, registration, instance).await
    }
}
