//! What a bridge counts.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

/// What a connection to RabbitMQ is for: messages in, dead letters, or events out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    In,
    DeadLetters,
    Out,
}

impl Side {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Side::In => "in",
            Side::DeadLetters => "dead_letters",
            Side::Out => "out",
        }
    }
}

/// The state of a connection to RabbitMQ.
#[derive(Clone)]
pub(crate) struct LinkMetrics {
    pub(crate) connected: Gauge,
    pub(crate) blocked: Gauge,
}

impl LinkMetrics {
    pub(crate) fn new(side: Side) -> Self {
        describe_gauge!("ringway_bridge_rabbitmq_connected", "Whether there is a connection to RabbitMQ.");
        describe_gauge!(
            "ringway_bridge_rabbitmq_blocked",
            "Whether RabbitMQ takes nothing for lack of memory or disk."
        );
        LinkMetrics {
            connected: gauge!("ringway_bridge_rabbitmq_connected", "side" => side.label()),
            blocked: gauge!("ringway_bridge_rabbitmq_blocked", "side" => side.label()),
        }
    }
}

/// What becomes of deliveries.
#[derive(Clone)]
pub(crate) struct IntakeMetrics {
    pub(crate) unacknowledged: Gauge,
}

impl IntakeMetrics {
    pub(crate) fn new() -> Self {
        describe_gauge!(
            "ringway_bridge_unacknowledged",
            "Deliveries from RabbitMQ that have not come to their end."
        );
        describe_counter!(
            "ringway_bridge_deliveries_total",
            "Deliveries from RabbitMQ that were acknowledged, by what became of them."
        );
        describe_counter!("ringway_bridge_retries_total", "Attempts that are made again, by reason.");
        IntakeMetrics { unacknowledged: gauge!("ringway_bridge_unacknowledged") }
    }

    pub(crate) fn ended(&self, result: &'static str) {
        counter!("ringway_bridge_deliveries_total", "result" => result).increment(1);
    }

    pub(crate) fn again(&self, reason: &'static str) {
        counter!("ringway_bridge_retries_total", "reason" => reason).increment(1);
    }
}

/// What becomes of events.
#[derive(Clone)]
pub(crate) struct SinkMetrics {
    pub(crate) taken: Counter,
    pub(crate) dropped: Counter,
    pub(crate) returned: Counter,
    pub(crate) missed: Counter,
    pub(crate) failures: Counter,
}

impl SinkMetrics {
    pub(crate) fn new(sink: &'static str) -> Self {
        describe_counter!("ringway_bridge_events_total", "Events that were passed on, by sink and result.");
        describe_counter!(
            "ringway_bridge_events_missed_total",
            "Events that workers could not keep for this sink."
        );
        describe_counter!("ringway_bridge_event_failures_total", "Attempts to pass events on that failed.");
        let events = |result: &'static str| counter!("ringway_bridge_events_total", "sink" => sink, "result" => result);
        SinkMetrics {
            taken: events("taken"),
            dropped: events("dropped"),
            returned: events("returned"),
            missed: counter!("ringway_bridge_events_missed_total", "sink" => sink),
            failures: counter!("ringway_bridge_event_failures_total", "sink" => sink),
        }
    }
}
