//! What is counted of events, each with the label `worker`.

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};
use ringway_proto::v1::EventKind;
use ringway_ring::MemberId;

#[derive(Clone)]
pub(super) struct EventMetrics {
    connected: Counter,
    disconnected: Counter,
    message: Counter,
    pub(super) missed: Counter,
    pub(super) room_waits: Counter,
    pub(super) attached: Gauge,
    pub(super) away: Gauge,
    pub(super) queue_bytes: Gauge,
}

impl EventMetrics {
    pub(super) fn new(id: &MemberId) -> Self {
        describe();
        let worker = id.to_string();
        let kind = |kind: &'static str| counter!("ringway_worker_events_total", "worker" => worker.clone(), "kind" => kind);
        let subscriptions = |state: &'static str| gauge!("ringway_worker_event_subscriptions", "worker" => worker.clone(), "state" => state);
        EventMetrics {
            connected: kind("connected"),
            disconnected: kind("disconnected"),
            message: kind("message"),
            missed: counter!("ringway_worker_events_missed_total", "worker" => worker.clone()),
            room_waits: counter!("ringway_worker_event_room_waits_total", "worker" => worker.clone()),
            attached: subscriptions("attached"),
            away: subscriptions("away"),
            queue_bytes: gauge!("ringway_worker_event_queue_bytes", "worker" => worker.clone()),
        }
    }

    pub(super) fn told(&self, kind: EventKind) {
        match kind {
            EventKind::Connected => self.connected.increment(1),
            EventKind::Disconnected => self.disconnected.increment(1),
            EventKind::Message => self.message.increment(1),
            EventKind::Unspecified => {}
        }
    }
}

fn describe() {
    describe_counter!("ringway_worker_events_total", "Events told to at least one subscription, by kind.");
    describe_counter!(
        "ringway_worker_events_missed_total",
        "Events that went before they were acknowledged, since too many were kept; counted for each subscription."
    );
    describe_counter!(
        "ringway_worker_event_room_waits_total",
        "Clients' messages that waited for room in a reliable subscription."
    );
    describe_gauge!(
        "ringway_worker_event_subscriptions",
        "Subscriptions, by whether their subscribers are here."
    );
    describe_gauge!(
        "ringway_worker_event_queue_bytes",
        Unit::Bytes,
        "Bytes of events that are kept for subscribers."
    );
}
