//! An API before a cluster, both in this process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringway_api::{Access, Api, ApiConfig, Keys, KeysHandle, serve};
use ringway_cluster::Views;
use ringway_rpc::{ClusterSecret, NodePool};
use ringway_sender::{RetryConfig, Sender, SenderConfig};
use ringway_store::{Clock, Limits, MemoryMailbox};
use ringway_worker::Mailboxes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::house::House;

/// A running API.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn start(config: ApiConfig, sender: Sender, access: Access) -> Self {
        Self::start_with(config, sender, access, None).await
    }

    /// The same over TLS, if there is an acceptor.
    pub(crate) async fn start_with(
        config: ApiConfig,
        sender: Sender,
        access: Access,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let api = Api::new(config, sender, access);
        let task = tokio::spawn(serve(listener, tls, api, stop.clone()));
        Self { address, stop, task }
    }

    /// An API before these workers, for everybody on this machine.
    pub(crate) async fn before(house: &House) -> Self {
        let sender = sender(&house.views, &house.pool, RetryConfig::default());
        Self::start(ApiConfig::default(), sender, Access::Loopback).await
    }
}

/// Workers that keep mailboxes, and an API before them.
pub(crate) async fn with_mailboxes(workers: usize) -> (House, Site) {
    let store = Arc::new(MemoryMailbox::new(Limits::default(), 1 << 30, Clock::system()));
    let window = Duration::from_secs(60);
    let house = House::with(workers, |config| {
        config.mailboxes = Some(Mailboxes::new(Arc::clone(&store) as _, window));
    });
    let house = house.await;
    let site = Site::before(&house).await;
    (house, site)
}

/// A sender that tries everything once: its pauses are longer than its time.
pub(crate) fn once(views: &Views, pool: &NodePool) -> Sender {
    let (first_pause_max, pause_max) = (Duration::from_secs(36_000), Duration::from_secs(36_000));
    sender(views, pool, RetryConfig { first_pause_max, pause_max, ..RetryConfig::default() })
}

fn sender(views: &Views, pool: &NodePool, retry: RetryConfig) -> Sender {
    let config = SenderConfig { retry, ..SenderConfig::new([], ClusterSecret::generate()) };
    Sender::within_node(views.clone(), pool.clone(), config)
}

/// Keys that count, by their names.
pub(crate) fn keys(text: &str) -> KeysHandle {
    KeysHandle::new(Keys::parse(text).unwrap())
}
