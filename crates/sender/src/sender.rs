//! A connection to the cluster: the view it follows, the channels to its nodes, and the calls.

use std::sync::Arc;

use ringway_cluster::Views;
use ringway_dispatch::{Dispatcher, Hops, RequestRules};
use ringway_rpc::NodePool;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::SenderConfig;
use crate::error::ConnectError;
use crate::message::{Payload, Target};
use crate::publish::PublishHandle;
use crate::send::SendCall;

/// Sends messages to connected users. A cheap handle: clones share connections; when the last one is dropped, what was
/// published is still finished, and the background tasks end.
#[derive(Clone, Debug)]
pub struct Sender {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) rules: RequestRules,
    pub(crate) config: SenderConfig,
    pub(crate) publish: PublishHandle,
    /// Ends the following of the ring, if that is the sender's own.
    _follow: Option<DropGuard>,
}

impl Sender {
    /// Takes the ring from the first of the nodes that answers, and follows it from then on: also when that node goes
    /// away, by the other nodes or by the workers of the last ring. Needs a tokio runtime.
    ///
    /// # Errors
    /// When no node shows its ring.
    pub async fn connect(config: SenderConfig) -> Result<Self, ConnectError> {
        let shutdown = CancellationToken::new();
        let guard = shutdown.clone().drop_guard();
        let pool = NodePool::new(config.secret.clone(), config.pool);
        let views = ringway_cluster::follow(&pool, config.nodes.clone(), shutdown).await?;
        Ok(Self::new(Dispatcher::new(views, pool), config, Some(guard)))
    }

    /// A sender within a node, which knows the ring and has connections already: `nodes` and `secret` of the configuration do
    /// not count. Needs a tokio runtime.
    pub fn within_node(views: Views, pool: NodePool, config: SenderConfig) -> Self {
        Self::new(Dispatcher::new(views, pool), config, None)
    }

    fn new(dispatcher: Dispatcher, config: SenderConfig, follow: Option<DropGuard>) -> Self {
        let publisher = dispatcher.publisher(Hops::FromClient, config.streams);
        let publish = PublishHandle::start(publisher, config.publish, config.retry);
        let rules = RequestRules::new(config.pool.message_bytes_max);
        Sender { shared: Arc::new(Shared { dispatcher, rules, config, publish, _follow: follow }) }
    }

    /// A message for all sessions of a user. Nothing is sent before it is awaited or published.
    pub fn send_to_user(&self, user: impl Into<String>, payload: impl Into<Payload>) -> SendCall {
        SendCall::new(self.clone(), Target::User(user.into()), payload.into())
    }

    /// A message for all sessions that are members of a group. Nothing is sent before it is awaited or published.
    pub fn send_to_group(&self, group: impl Into<String>, payload: impl Into<Payload>) -> SendCall {
        SendCall::new(self.clone(), Target::Group(group.into()), payload.into())
    }

    /// A message for every session of the cluster. Nothing is sent before it is awaited or published.
    pub fn send_to_all(&self, payload: impl Into<Payload>) -> SendCall {
        SendCall::new(self.clone(), Target::All, payload.into())
    }

    /// The views of the cluster that this sender goes by.
    pub fn views(&self) -> &Views {
        self.shared.dispatcher.views()
    }

    /// How many calls were made to nodes so far; a stream counts once.
    pub fn calls(&self) -> u64 {
        self.shared.dispatcher.pool().calls()
    }
}
