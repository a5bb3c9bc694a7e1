//! How a sender sends.

use std::time::Duration;

use ringway_dispatch::{PRESENCE_GRACE_DEFAULT, Pauses};
use ringway_rpc::{ClusterSecret, NodeUrl, PoolConfig, PublisherConfig};

use crate::publish::PublishConfig;

/// Where a sender finds the cluster, and its bounds.
#[derive(Clone, Debug)]
pub struct SenderConfig {
    /// Nodes to take the ring from, of any kind: one that answers is enough, more survive its loss.
    pub nodes: Vec<NodeUrl>,
    /// The cluster secret.
    pub secret: ClusterSecret,
    /// How nodes are connected to. `message_bytes_max` must be the cluster's.
    pub pool: PoolConfig,
    /// How long a send may take, retries included, unless it says otherwise.
    pub deadline: Duration,
    /// How failed sends are sent again.
    pub retry: RetryConfig,
    /// The bounds of [`SendCall::publish`](crate::SendCall::publish).
    pub publish: PublishConfig,
    /// The bounds of each of the streams below it, of which there is one to each worker.
    pub streams: PublisherConfig,
    /// For how long a user whose worker has died may come back before a [watch](crate::PresenceCalls::watch) tells that it is
    /// offline: `sessions.resume_window` of the cluster. Default 30 s.
    pub presence_grace: Duration,
}

impl SenderConfig {
    /// The defaults, for a cluster that has these nodes.
    pub fn new(nodes: impl IntoIterator<Item = NodeUrl>, secret: ClusterSecret) -> Self {
        SenderConfig {
            nodes: nodes.into_iter().collect(),
            secret,
            pool: PoolConfig::default(),
            deadline: Duration::from_secs(5),
            retry: RetryConfig::default(),
            publish: PublishConfig::default(),
            streams: PublisherConfig::default(),
            presence_grace: PRESENCE_GRACE_DEFAULT,
        }
    }
}

/// The pauses between attempts: a random part of a bound that doubles with each attempt (full jitter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// The bound of the first pause.
    pub first_pause_max: Duration,
    /// The bound of all pauses.
    pub pause_max: Duration,
    /// How long to wait for news of the ring when a worker's differs from ours.
    pub view_wait: Duration,
}

impl RetryConfig {
    pub(crate) fn pauses(&self) -> Pauses {
        Pauses { first_max: self.first_pause_max, max: self.pause_max }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        RetryConfig {
            first_pause_max: Duration::from_millis(25),
            pause_max: Duration::from_secs(1),
            view_wait: Duration::from_millis(250),
        }
    }
}
