//! One connection to each node, shared by everybody in the process who calls it.
//!
//! A channel connects when it is first used and again after it broke; making one costs nothing. The pool holds at most
//! `nodes_max` of them: beyond that the one that was asked for longest ago is let go (calls on it go on). The channel to
//! a node that has left stays until then, without a connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::methods::CallCounts;
use crate::{ClusterSecret, NodeChannel, NodeLimits, NodeUrl};

/// How a node calls others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// For how long after a failed attempt calls fail at once, instead of trying to connect again.
    pub reconnect_delay: Duration,
    /// How often a connection is probed with an HTTP/2 ping, also while it is idle.
    pub keepalive_interval: Duration,
    /// How long the answer to a ping may take; beyond it the connection counts as broken.
    pub keepalive_timeout: Duration,
    /// The largest payload of one message; the limits of all services follow from it ([`NodeLimits`]).
    pub message_bytes_max: usize,
    /// The largest state of a session; 0 where none is sent.
    pub state_bytes_max: usize,
    /// HTTP/2 flow control: how much of one stream may be under way to us unread.
    pub stream_window_bytes: u32,
    /// HTTP/2 flow control: how much of all streams of a connection may be under way to us unread.
    pub connection_window_bytes: u32,
    /// To how many nodes connections are kept.
    pub nodes_max: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        PoolConfig {
            connect_timeout: Duration::from_secs(2),
            reconnect_delay: Duration::from_millis(100),
            keepalive_interval: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(5),
            message_bytes_max: crate::MESSAGE_BYTES_MAX_DEFAULT,
            state_bytes_max: 0,
            stream_window_bytes: 1024 * 1024,
            connection_window_bytes: 4 * 1024 * 1024,
            nodes_max: 1024,
        }
    }
}

impl PoolConfig {
    /// The sizes that follow from it.
    pub fn limits(&self) -> NodeLimits {
        NodeLimits::new(self.message_bytes_max).with_states(self.state_bytes_max)
    }
}

/// Channels to nodes, one for each url. A cheap handle: clones share the channels.
#[derive(Clone, Debug)]
pub struct NodePool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    secret: ClusterSecret,
    config: PoolConfig,
    counts: Arc<CallCounts>,
    nodes: Mutex<Nodes>,
}

#[derive(Debug, Default)]
struct Nodes {
    by_url: HashMap<NodeUrl, Entry>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    channel: NodeChannel,
    used: u64,
}

impl NodePool {
    /// A pool that holds nothing yet. Channels need a tokio runtime: use the pool inside one.
    pub fn new(secret: ClusterSecret, config: PoolConfig) -> Self {
        NodePool(Arc::new(Shared {
            secret,
            config,
            counts: Arc::new(CallCounts::default()),
            nodes: Mutex::default(),
        }))
    }

    /// The channel to a node; it connects when it is first used.
    pub fn node(&self, url: &NodeUrl) -> NodeChannel {
        let mut nodes = self.0.nodes.lock();
        nodes.clock += 1;
        let clock = nodes.clock;
        if let Some(entry) = nodes.by_url.get_mut(url) {
            entry.used = clock;
            return entry.channel.clone();
        }
        nodes.make_room(self.0.config.nodes_max);
        let channel = NodeChannel::new(url, &self.0.secret, &self.0.config, &self.0.counts);
        nodes.by_url.insert(url.clone(), Entry { channel: channel.clone(), used: clock });
        channel
    }

    /// How many calls were made through this pool's channels: each unary call and each stream counts once.
    pub fn calls(&self) -> u64 {
        self.0.counts.total()
    }

    /// How many calls of one method were made, such as of `ringway.v1.Delivery/SendToUser`.
    pub fn calls_of(&self, method: &str) -> u64 {
        self.0.counts.of(method)
    }

    /// The sizes that the pool's channels hold to.
    pub fn limits(&self) -> NodeLimits {
        self.0.config.limits()
    }

    /// The cluster secret that the pool's channels show.
    pub fn secret(&self) -> &ClusterSecret {
        &self.0.secret
    }
}

impl Nodes {
    fn make_room(&mut self, nodes_max: usize) {
        while self.by_url.len() >= nodes_max.max(1) {
            let oldest = self.by_url.iter().min_by_key(|(_, entry)| entry.used).map(|(url, _)| url.clone());
            let Some(oldest) = oldest else { return };
            self.by_url.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(port: u16) -> NodeUrl {
        NodeUrl::from(std::net::SocketAddr::from(([127, 0, 0, 1], port)))
    }

    fn held(pool: &NodePool) -> Vec<NodeUrl> {
        let mut urls: Vec<_> = pool.0.nodes.lock().by_url.keys().cloned().collect();
        urls.sort();
        urls
    }

    #[tokio::test]
    async fn the_channel_asked_for_longest_ago_makes_room() {
        let config = PoolConfig { nodes_max: 2, ..PoolConfig::default() };
        let pool = NodePool::new(ClusterSecret::generate(), config);
        for port in [1, 2, 1, 3] {
            pool.node(&url(port));
        }
        assert_eq!(held(&pool), [url(1), url(3)]);
    }
}
