//! The registry: a list that is asked for again and again.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use ringway_cluster::{Lease, Member, MemberList, Registry, RegistryError, RegistryHealth, StaticRegistry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::question::Question;
use crate::task::DnsTask;

/// How the DNS is asked.
#[derive(Clone, Debug)]
pub struct DnsConfig {
    /// What is asked.
    pub question: Question,
    /// The name server; not given: those of the system (`/etc/resolv.conf`).
    pub server: Option<SocketAddr>,
    /// The shortest time between two questions, and the time after one that failed.
    pub interval_min: Duration,
    /// The longest time between two questions. In between the records' time to live decides.
    pub interval_max: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl DnsConfig {
    /// The usual times.
    pub fn new(question: Question) -> Self {
        Self {
            question,
            server: None,
            interval_min: Duration::from_secs(1),
            interval_max: Duration::from_secs(30),
            timeout: Duration::from_secs(2),
        }
    }
}

/// The DNS cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the DNS cannot be asked: {0}")]
pub struct StartError(#[from] NetError);

/// The members that the DNS names. Clones are the same registry.
#[derive(Clone)]
pub struct DnsRegistry {
    list: StaticRegistry,
}

impl DnsRegistry {
    /// Asks once, and then again and again until `shutdown`. Nobody is shown if the first question fails.
    ///
    /// # Errors
    /// [`StartError`] if the system does not say which name servers there are.
    pub async fn start(config: DnsConfig, shutdown: CancellationToken) -> Result<Self, StartError> {
        let resolver = resolver(&config)?;
        let list = StaticRegistry::new([]).expect("nobody is there twice");
        let health = RegistryHealth::new("dns");
        let mut task = DnsTask { resolver, config, list: list.clone(), health };
        let pause = task.ask().await;
        tokio::spawn(async move { shutdown.run_until_cancelled(task.run(pause)).await });
        Ok(Self { list })
    }
}

#[async_trait]
impl Registry for DnsRegistry {
    /// Takes the member's place in the list. It must be listed, and at the same URL.
    async fn join(&self, member: Member) -> Result<Box<dyn Lease>, RegistryError> {
        self.list.join(member).await
    }

    fn watch(&self) -> watch::Receiver<MemberList> {
        self.list.watch()
    }
}

/// Without a cache: how often is asked is decided here.
fn resolver(config: &DnsConfig) -> Result<TokioResolver, NetError> {
    let mut builder = match config.server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let at = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
            let server = NameServerConfig::new(server.ip(), true, connections);
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.cache_size = 0;
    options.timeout = config.timeout;
    builder.build()
}
