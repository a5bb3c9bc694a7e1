//! What a worker counts, each with the label `worker`.

use metrics::{Counter, Gauge, counter, gauge};
use ringway_ring::MemberId;
use ringway_session::{CloseCode, Payload, Reach};

use crate::hub::Receivers;

/// Handles made once, so that counting costs an addition.
#[derive(Clone)]
pub(crate) struct Metrics {
    worker: String,
    sessions: Gauge,
    users: Gauge,
    groups: Gauge,
    pub(crate) links: Gauge,
    pub(crate) queue_bytes: Gauge,
    sends_to_user: Counter,
    sends_to_group: Counter,
    sends_to_all: Counter,
    echoes: Counter,
    deliveries: Counter,
    delivered_bytes: Counter,
    overflows: Counter,
    pub(crate) client_messages: Counter,
    pub(crate) client_bytes: Counter,
    pub(crate) forwards: Counter,
    pub(crate) not_owner: Counter,
}

impl Metrics {
    pub(crate) fn new(id: &MemberId) -> Self {
        let worker = id.to_string();
        let gauge = |name: &'static str| gauge!(name, "worker" => worker.clone());
        let counter = |name: &'static str| counter!(name, "worker" => worker.clone());
        let sends = |target: &'static str| counter!("ringway_worker_sends_total", "worker" => worker.clone(), "target" => target);
        Metrics {
            sessions: gauge("ringway_worker_sessions"),
            users: gauge("ringway_worker_users"),
            groups: gauge("ringway_worker_groups"),
            links: gauge("ringway_worker_links"),
            queue_bytes: gauge("ringway_worker_link_queue_bytes"),
            sends_to_user: sends("user"),
            sends_to_group: sends("group"),
            sends_to_all: sends("all"),
            echoes: sends("echo"),
            deliveries: counter("ringway_worker_deliveries_total"),
            delivered_bytes: counter("ringway_worker_delivered_bytes_total"),
            overflows: counter("ringway_worker_overflows_total"),
            client_messages: counter("ringway_worker_client_messages_total"),
            client_bytes: counter("ringway_worker_client_bytes_total"),
            forwards: counter("ringway_worker_forwards_total"),
            not_owner: counter("ringway_worker_not_owner_total"),
            worker,
        }
    }

    pub(crate) fn population(&self, sessions: usize, users: usize, groups: usize) {
        self.sessions.set(sessions as f64);
        self.users.set(users as f64);
        self.groups.set(groups as f64);
    }

    pub(crate) fn sent(&self, to: &Receivers, reach: Reach, payload: &Payload) {
        match to {
            Receivers::User(_) => self.sends_to_user.increment(1),
            Receivers::Group(_) => self.sends_to_group.increment(1),
            Receivers::All => self.sends_to_all.increment(1),
            Receivers::One(_) => self.echoes.increment(1),
        }
        self.deliveries.increment(reach.sessions.into());
        self.delivered_bytes.increment(u64::from(reach.sessions) * payload.bytes().len() as u64);
        self.overflows.increment(reach.overflowed.into());
    }

    /// A handshake's result: `ok` or the reason of the refusal.
    pub(crate) fn opened(&self, result: &'static str) {
        counter!("ringway_worker_opens_total", "worker" => self.worker.clone(), "result" => result)
            .increment(1);
    }

    pub(crate) fn closed(&self, code: CloseCode) {
        let code = code.to_string();
        counter!("ringway_worker_closes_total", "worker" => self.worker.clone(), "code" => code).increment(1);
    }
}
