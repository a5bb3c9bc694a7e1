//! What there is at this moment, for those who show it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Hub, Shown};
use ringway_proto::v1::{GatewayShare, NodeStatus};

/// How many slow sessions are shown.
const SLOWEST_MAX: usize = 10;

impl Hub {
    /// The numbers, without who the worker is; and the sessions for which most bytes wait.
    pub(crate) fn status(&self) -> (NodeStatus, Vec<Shown>) {
        let metrics = &self.metrics;
        let state = self.state.lock();
        let table = state.shard.table();
        let mut gateways = BTreeMap::<Arc<str>, usize>::new();
        for (id, link) in &state.links {
            *gateways.entry(Arc::clone(&link.gateway)).or_default() += table.sessions_on(*id);
        }
        let away = table.len().saturating_sub(gateways.values().sum());
        if away > 0 {
            gateways.insert("".into(), away);
        }
        let share = |(gateway, sessions): (Arc<str>, usize)| GatewayShare {
            gateway: gateway.to_string(),
            sessions: sessions as u64,
        };
        let numbers = NodeStatus {
            sessions: table.len() as u64,
            users: table.users() as u64,
            groups: table.groups() as u64,
            sessions_in_transit: state.shard.in_transit() as u64,
            sessions_expected: state.shard.expected() as u64,
            queue_bytes: state.links.values().map(|link| link.outbox.bytes()).sum(),
            messages: metrics.messages(),
            deliveries: metrics.deliveries.total(),
            delivered_bytes: metrics.delivered_bytes.total(),
            overflows: metrics.overflows.total(),
            client_messages: metrics.client_messages.total(),
            sessions_left: metrics.moves_detached.total(),
            sessions_arrived: metrics.arrived.load(Ordering::Relaxed),
            gateways: gateways.into_iter().map(share).collect(),
            ..NodeStatus::default()
        };
        let slowest = table.slowest(SLOWEST_MAX).into_iter().map(|session| state.show(session)).collect();
        (numbers, slowest)
    }
}
