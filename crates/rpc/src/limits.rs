//! How large one gRPC message between nodes may be, for each service, on both of its sides.
//!
//! Everything follows from `message_bytes_max`, the largest payload of a client's or sender's message, and from
//! `state_bytes_max`, the largest state in which a session goes from worker to worker. What a
//! client may send its server must read, so both take their numbers from here: [`NodeChannel`](crate::NodeChannel) for
//! the clients, and the `*_server` methods for the servers.

use ringway_proto::v1;

/// What a request may have beside its payload: names, ids, lists of excluded sessions, the encoding.
const ENVELOPE_BYTES: usize = 64 * 1024;
/// The least limit of what is a list or a batch: ring snapshots with their table (512 KiB), lists of 10,000 sessions,
/// and a link's batches of frames.
const BATCH_BYTES_MIN: usize = 16 * 1024 * 1024;
/// How many of the largest payloads fit into one batch of a link's frames.
const BATCH_PAYLOADS: usize = 4;
/// The default of `message_bytes_max`.
pub const MESSAGE_BYTES_MAX_DEFAULT: usize = 1024 * 1024;

/// The limits that follow from `message_bytes_max` and `state_bytes_max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    message_bytes_max: usize,
    state_bytes_max: usize,
}

impl NodeLimits {
    /// The limits for payloads of at most `message_bytes_max` bytes, and for states that fit into a batch.
    pub const fn new(message_bytes_max: usize) -> Self {
        NodeLimits { message_bytes_max, state_bytes_max: 0 }
    }

    /// The same where the state of a session has at most `state_bytes_max` bytes.
    #[must_use]
    pub const fn with_states(self, state_bytes_max: usize) -> Self {
        NodeLimits { state_bytes_max, ..self }
    }

    /// The largest payload of one message.
    pub fn message_bytes_max(self) -> usize {
        self.message_bytes_max
    }

    /// The largest request that carries one message (Delivery): the payload and 64 KiB.
    pub fn request_bytes_max(self) -> usize {
        self.message_bytes_max.saturating_add(ENVELOPE_BYTES)
    }

    /// The largest request that a Delivery server reads: twice the largest payload and 64 KiB. So a payload that is
    /// somewhat too large is refused as such, and the Publish stream on which it came goes on.
    pub fn intake_bytes_max(self) -> usize {
        self.message_bytes_max.saturating_mul(2).saturating_add(ENVELOPE_BYTES)
    }

    /// The largest batch (Link, Ring, Sessions, Presence, Events): 16 MiB or four of the largest payloads, whichever is more. Who makes
    /// a batch closes it before it grows beyond this.
    pub fn batch_bytes_max(self) -> usize {
        self.message_bytes_max.saturating_mul(BATCH_PAYLOADS).max(BATCH_BYTES_MIN)
    }

    /// The largest request between workers (Peer): a batch, or a session's state and 64 KiB, whichever is more.
    pub fn peer_bytes_max(self) -> usize {
        self.batch_bytes_max().max(self.state_bytes_max.saturating_add(ENVELOPE_BYTES))
    }
}

impl Default for NodeLimits {
    fn default() -> Self {
        NodeLimits::new(MESSAGE_BYTES_MAX_DEFAULT)
    }
}

macro_rules! servers {
    ($($(#[$doc:meta])* $name:ident: $module:ident::$trait:ident => $server:ident, $limit:ident;)*) => {
        impl NodeLimits {
            $(
                $(#[$doc])*
                pub fn $name<T: v1::$module::$trait>(self, service: T) -> v1::$module::$server<T> {
                    v1::$module::$server::new(service)
                        .max_decoding_message_size(self.$limit())
                        .max_encoding_message_size(self.$limit())
                }
            )*
        }
    };
}

servers! {
    /// The Delivery service with its limits, ready for [`NodeServices::with`](crate::NodeServices::with).
    delivery_server: delivery_server::Delivery => DeliveryServer, intake_bytes_max;
    /// The Peer service with its limits.
    peer_server: peer_server::Peer => PeerServer, peer_bytes_max;
    /// The Link service with its limits.
    link_server: link_server::Link => LinkServer, batch_bytes_max;
    /// The Ring service with its limits.
    ring_server: ring_server::Ring => RingServer, batch_bytes_max;
    /// The Sessions service with its limits.
    sessions_server: sessions_server::Sessions => SessionsServer, batch_bytes_max;
    /// The Presence service with its limits.
    presence_server: presence_server::Presence => PresenceServer, batch_bytes_max;
    /// The Events service with its limits.
    events_server: events_server::Events => EventsServer, batch_bytes_max;
    /// The Node service with its limits.
    node_server: node_server::Node => NodeServer, request_bytes_max;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_follow_from_the_largest_message() {
        let cases = [
            (1024, 1024 + 65_536, 2048 + 65_536, 16 << 20),
            (1 << 20, (1 << 20) + 65_536, (2 << 20) + 65_536, 16 << 20),
            (8 << 20, (8 << 20) + 65_536, (16 << 20) + 65_536, 32 << 20),
            (usize::MAX, usize::MAX, usize::MAX, usize::MAX),
        ];
        for (message, request, intake, batch) in cases {
            let limits = NodeLimits::new(message);
            let got = (limits.request_bytes_max(), limits.intake_bytes_max(), limits.batch_bytes_max());
            assert_eq!(got, (request, intake, batch));
            assert_eq!(limits.peer_bytes_max(), batch);
            let state = batch.saturating_add(1);
            assert_eq!(limits.with_states(state).peer_bytes_max(), state.saturating_add(65_536));
        }
    }
}
