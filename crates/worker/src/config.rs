//! What a worker is told: checked, typed, with units.

use std::time::Duration;

use ringway_dispatch::StreamBounds;
use ringway_ring::MemberId;
use ringway_rpc::NodeLimits;
use ringway_session::{MovePolicy, Policy};

use crate::events::EventsConfig;
use crate::mailbox::Mailboxes;

/// What happens to a client's message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnClientMessage {
    /// It is counted and dropped.
    #[default]
    Discard,
    /// It is sent back to its sender as it came: for conformance suites and latency checks.
    Echo,
}

/// The bounds of what clients send to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientBounds {
    /// How many sends of one client may be under way. Beyond it a send is refused as busy.
    pub sends_under_way_max: usize,
    /// How many bytes of payload all clients' sends may hold. Beyond it a send is refused as busy.
    pub sends_under_way_bytes_max: usize,
}

impl Default for ClientBounds {
    /// 32 sends, 64 MiB.
    fn default() -> Self {
        ClientBounds { sends_under_way_max: 32, sends_under_way_bytes_max: 64 << 20 }
    }
}

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The worker's stable name, the one on the ring.
    pub id: MemberId,
    /// The bounds of its sessions.
    pub policy: Policy,
    /// The bounds of sessions that change their place.
    pub moves: MovePolicy,
    /// How many sessions begin to leave in a second, at the most, when they belong elsewhere.
    pub moves_per_second: u32,
    /// How long a call may wait for sessions that are to arrive, and for what other workers hold.
    pub arrival_wait_max: Duration,
    /// How long another worker may take for its first word when it is asked what it holds.
    pub claim_timeout: Duration,
    /// How long sessions may take to leave at shutdown; those that are left then are closed.
    pub drain_timeout: Duration,
    /// How long of that it may take until the ring is without a worker that drains: as long as its registry may take to show it.
    pub off_ring_wait_max: Duration,
    /// The bounds of messages.
    pub limits: NodeLimits,
    /// The subprotocols it agrees to beside `ringway.v1.json`, whatever they mean to client and back end: payloads go as they
    /// are.
    pub subprotocols: Vec<String>,
    /// What happens to clients' messages.
    pub on_client_message: OnClientMessage,
    /// The bounds of what clients send to others.
    pub client: ClientBounds,
    /// How long a gateway may take nothing while frames wait for its link; then the link is broken.
    pub link_stall_timeout: Duration,
    /// How long a sender is slowed down at the most for one message while a link has no room (`policy.link_bytes_max`).
    pub crowded_wait_max: Duration,
    /// How long a handshake or a join waits until its groups are known to their homes; beyond it, it goes on without.
    pub settle_timeout: Duration,
    /// How long another worker may take to deliver its part of a group's message, or to answer a forwarded call.
    pub peer_timeout: Duration,
    /// The bounds of one Publish stream.
    pub publish: StreamBounds,
    /// The bounds of events.
    pub events: EventsConfig,
    /// How long sessions' last frames may take to leave at shutdown.
    pub flush_timeout: Duration,
    /// Where messages are stored for users; none refuses those that are to be stored.
    pub mailboxes: Option<Mailboxes>,
}

impl WorkerConfig {
    /// How large a session's state may be at the most.
    pub(crate) fn state_bytes_max(&self) -> usize {
        self.policy.state_bytes_max(self.limits.message_bytes_max())
    }

    /// The defaults for a worker of this name.
    pub fn new(id: MemberId) -> Self {
        WorkerConfig {
            id,
            policy: Policy::default(),
            moves: MovePolicy::default(),
            moves_per_second: 5_000,
            arrival_wait_max: Duration::from_secs(3),
            claim_timeout: Duration::from_secs(3),
            drain_timeout: Duration::from_secs(60),
            off_ring_wait_max: Duration::from_secs(5),
            limits: NodeLimits::default(),
            subprotocols: vec!["ringway.raw".to_owned()],
            on_client_message: OnClientMessage::default(),
            client: ClientBounds::default(),
            link_stall_timeout: Duration::from_secs(30),
            crowded_wait_max: Duration::from_secs(1),
            settle_timeout: Duration::from_secs(1),
            peer_timeout: Duration::from_secs(5),
            publish: StreamBounds::default(),
            events: EventsConfig::default(),
            flush_timeout: Duration::from_secs(5),
            mailboxes: None,
        }
    }
}
