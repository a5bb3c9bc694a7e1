//! A channel to one node, and the generated clients on top of it with their limits set.

use std::sync::Arc;

use ringway_proto::v1;
use tonic::transport::{Channel, Endpoint};

use crate::connector::FailFastConnector;
use crate::methods::CallCounts;
use crate::transport::Authorized;
use crate::{ClusterSecret, NodeLimits, NodeUrl, PoolConfig};

/// How many calls may wait for the connection in front of the HTTP/2 stack.
const CALLS_WAITING_MAX: usize = 1024;

/// A channel to one node. A cheap handle: clones share the connection.
#[derive(Clone, Debug)]
pub struct NodeChannel {
    transport: Authorized,
    limits: NodeLimits,
}

impl NodeChannel {
    pub(crate) fn new(
        url: &NodeUrl,
        secret: &ClusterSecret,
        config: &PoolConfig,
        counts: &Arc<CallCounts>,
    ) -> Self {
        let channel = connect_lazily(url, config);
        let transport = Authorized::new(channel, url.clone(), secret, Arc::clone(counts));
        NodeChannel { transport, limits: config.limits() }
    }

    /// Where the node is.
    pub fn url(&self) -> &NodeUrl {
        self.transport.url()
    }

    /// The transport itself, for generated clients of other packages such as health.
    pub fn transport(&self) -> Authorized {
        self.transport.clone()
    }
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $module:ident::$client:ident, $limit:ident;)*) => {
        impl NodeChannel {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> v1::$module::$client<Authorized> {
                    v1::$module::$client::new(self.transport.clone())
                        .max_decoding_message_size(self.limits.$limit())
                        .max_encoding_message_size(self.limits.$limit())
                }
            )*
        }
    };
}

clients! {
    /// A client of the node's Delivery service.
    delivery: delivery_client::DeliveryClient, request_bytes_max;
    /// A client of the node's Peer service.
    peer: peer_client::PeerClient, peer_bytes_max;
    /// A client of the node's Link service.
    link: link_client::LinkClient, batch_bytes_max;
    /// A client of the node's Ring service.
    ring: ring_client::RingClient, batch_bytes_max;
    /// A client of the node's Sessions service.
    sessions: sessions_client::SessionsClient, batch_bytes_max;
    /// A client of the node's Presence service.
    presence: presence_client::PresenceClient, batch_bytes_max;
    /// A client of the node's Events service.
    events: events_client::EventsClient, batch_bytes_max;
    /// A client of the node's Node service.
    node: node_client::NodeClient, request_bytes_max;
}

fn connect_lazily(url: &NodeUrl, config: &PoolConfig) -> Channel {
    // A NodeUrl is a valid URI by construction.
    let uri = http::Uri::try_from(url.as_str()).unwrap_or_default();
    Endpoint::from(uri)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(config.keepalive_interval)
        .keep_alive_timeout(config.keepalive_timeout)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(config.stream_window_bytes)
        .initial_connection_window_size(config.connection_window_bytes)
        .buffer_size(CALLS_WAITING_MAX)
        .connect_with_connector_lazy(FailFastConnector::new(config))
}
