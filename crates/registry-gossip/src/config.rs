//! What can be chosen about the gossip.

use std::net::SocketAddr;
use std::time::Duration;

use ringway_rpc::ClusterSecret;

/// How a node takes part in the gossip.
#[derive(Clone, Debug)]
pub struct GossipConfig {
    /// The node's name, for logs.
    pub node: String,
    /// What keeps strangers out.
    pub secret: ClusterSecret,
    /// The cluster's name. Nodes of clusters with other names are not heard, though they have the same secret.
    pub cluster: String,
    /// Nodes to begin with, each `host:port`. Names are resolved again and again. The node itself may be among them.
    pub seeds: Vec<String>,
    /// Where the others reach this node's socket; not given: at its own address.
    pub advertise: Option<SocketAddr>,
    /// How often a node gossips.
    pub interval: Duration,
    /// How long nothing may be heard of a node before it counts as dead. At least 8 intervals, so that some lost
    /// datagrams do not kill anybody.
    pub failure_timeout: Duration,
    /// How long a dead node is remembered. A node that hears nobody of those that it remembers does not know who is at
    /// fault; after this time it takes itself for the only one left.
    pub alone_after: Duration,
    /// How long the start may wait for the first peer.
    pub first_contact: Duration,
}

impl GossipConfig {
    /// The usual times, for a node of this name.
    pub fn new(node: impl Into<String>, secret: ClusterSecret) -> Self {
        Self {
            node: node.into(),
            secret,
            cluster: "ringway".to_owned(),
            seeds: Vec::new(),
            advertise: None,
            interval: Duration::from_millis(250),
            failure_timeout: Duration::from_secs(5),
            alone_after: Duration::from_secs(15),
            first_contact: Duration::from_secs(2),
        }
    }
}
