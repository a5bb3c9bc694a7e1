//! What a gateway counts, under the names that operators see.
//!
//! Handles are looked up once and kept, so a message costs an addition and no search by name. Levels that change with
//! every message are kept in plain atomics and shown once a second by [`Meters::sample`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};
use ringway_ring::MemberId;
use ringway_session::CloseCode;

/// How often levels are shown.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// The gateway's counters. One for each gateway, shared by all of it.
pub(crate) struct Meters {
    pub(crate) inbound: Traffic,
    pub(crate) outbound: Traffic,
    /// Bytes that wait for clients.
    pub(crate) queued: Level,
    /// Bytes that wait for links.
    pub(crate) link_queued: Level,
    /// Sessions on their way from one worker to another.
    pub(crate) moving: Level,
    /// From a session's set-off to its arrival, in seconds.
    pub(crate) move_pause: Histogram,
    connections: Gauge,
    /// Handshakes that were answered 101.
    accepted: Counter,
    handshake_duration: Histogram,
}

/// Messages in one direction.
pub(crate) struct Traffic {
    messages: Counter,
    bytes: Counter,
}

/// An amount that goes up and down.
#[derive(Default)]
pub(crate) struct Level(AtomicU64);

/// Counts one client socket for as long as it lives.
pub(crate) struct Connected(Arc<Meters>);

impl Meters {
    pub(crate) fn new() -> Arc<Self> {
        describe();
        Arc::new(Self {
            inbound: Traffic::new("in"),
            outbound: Traffic::new("out"),
            queued: Level::default(),
            link_queued: Level::default(),
            moving: Level::default(),
            move_pause: histogram!("ringway_gateway_move_pause_seconds"),
            connections: gauge!("ringway_gateway_connections"),
            accepted: handshakes("ok"),
            handshake_duration: histogram!("ringway_gateway_handshake_duration_seconds"),
        })
    }

    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.increment(1.0);
        Connected(Arc::clone(self))
    }

    /// One handshake was answered: `result` is `ok` or the refusal's reason.
    pub(crate) fn handshake(&self, result: &'static str, took: Duration) {
        match result {
            "ok" => self.accepted.increment(1),
            _ => handshakes(result).increment(1),
        }
        self.handshake_duration.record(took.as_secs_f64());
    }

    /// One client socket ended, with this close code as the last word. It may be one that the client made up.
    pub(crate) fn closed(&self, code: CloseCode) {
        counter!("ringway_gateway_closes_total", "code" => code.label()).increment(1);
    }

    /// One session's way to another worker is over, with this result.
    pub(crate) fn moved(&self, result: &'static str) {
        counter!("ringway_gateway_moves_total", "result" => result).increment(1);
    }

    /// One link to `worker` changed its state.
    pub(crate) fn link(&self, worker: &MemberId, state: &'static str, change: f64) {
        gauge!("ringway_gateway_links", "worker" => worker.to_string(), "state" => state).increment(change);
    }

    /// Shows the levels, for ever.
    pub(crate) async fn sample(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(SAMPLE_INTERVAL);
        loop {
            ticks.tick().await;
            self.show();
        }
    }

    fn show(&self) {
        gauge!("ringway_gateway_queue_bytes").set(self.queued.now() as f64);
        gauge!("ringway_gateway_link_queue_bytes").set(self.link_queued.now() as f64);
        gauge!("ringway_gateway_moving").set(self.moving.now() as f64);
    }
}

impl Traffic {
    fn new(direction: &'static str) -> Self {
        Self {
            messages: counter!("ringway_gateway_messages_total", "direction" => direction),
            bytes: counter!("ringway_gateway_bytes_total", "direction" => direction),
        }
    }

    pub(crate) fn count(&self, bytes: usize) {
        self.messages.increment(1);
        self.bytes.increment(bytes as u64);
    }
}

impl Level {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, amount: u64) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.decrement(1.0);
    }
}

fn handshakes(result: &'static str) -> Counter {
    counter!("ringway_gateway_handshakes_total", "result" => result)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("ringway_gateway_connections", "Client sockets.");
    describe_counter!(
        "ringway_gateway_handshakes_total",
        "Handshakes answered, by result: ok or the refusal's reason."
    );
    describe_histogram!(
        "ringway_gateway_handshake_duration_seconds",
        Unit::Seconds,
        "From a handshake's head to its answer."
    );
    describe_counter!("ringway_gateway_messages_total", "Messages from clients (in) and to clients (out).");
    describe_counter!("ringway_gateway_bytes_total", Unit::Bytes, "Payload bytes of those messages.");
    describe_counter!(
        "ringway_gateway_closes_total",
        "Client sockets ended, by close code: ours and the standard ones each, all others by the thousand."
    );
    describe_gauge!("ringway_gateway_queue_bytes", Unit::Bytes, "Bytes of messages that wait for clients.");
    describe_gauge!("ringway_gateway_links", "Links to workers, by worker and state: up or down.");
    describe_gauge!("ringway_gateway_link_queue_bytes", Unit::Bytes, "Bytes of frames that wait for links.");
    describe_gauge!("ringway_gateway_moving", "Sessions on their way from one worker to another.");
    describe_counter!(
        "ringway_gateway_moves_total",
        "Sessions that were on their way, by what has become of them: moved, reopened, or why they ended."
    );
    describe_histogram!(
        "ringway_gateway_move_pause_seconds",
        Unit::Seconds,
        "From a session's leave of one worker to its arrival at the next."
    );
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn close_codes_that_are_not_ours_make_no_label_each() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let meters = Meters::new();
            (0..=u16::MAX).for_each(|code| meters.closed(CloseCode::from_u16(code)));
        });
        let text = recorder.handle().render();
        let lines = text.lines().filter_map(|line| line.strip_prefix("ringway_gateway_closes_total{code="));
        let mut lines: Vec<&str> = lines.collect();
        lines.sort_unstable();
        let single = ["1000", "1001", "1002", "1005", "1006", "1007", "1008", "1009", "1011", "1012", "1013"];
        let single = single.into_iter().chain(["4300", "4400", "4401", "4402"]);
        let mut expected: Vec<String> = single.map(|code| format!("\"{code}\"}} 1")).collect();
        expected.extend(["\"3xxx\"} 1000", "\"4xxx\"} 996", "\"other\"} 63525"].map(str::to_owned));
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }

    #[test]
    fn everything_is_counted_under_its_documented_name() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _stays = metrics::with_local_recorder(&recorder, || {
            let meters = Meters::new();
            drop(meters.connected());
            let stays = meters.connected();
            meters.inbound.count(10);
            meters.inbound.count(5);
            meters.outbound.count(7);
            meters.handshake("ok", Duration::from_millis(2));
            meters.handshake("token_missing", Duration::ZERO);
            meters.closed(CloseCode::GOING_AWAY);
            meters.queued.add(9);
            meters.queued.subtract(2);
            meters.moving.add(3);
            meters.moved("moved");
            meters.move_pause.record(0.01);
            meters.link(&MemberId::new("w1").expect("an id"), "up", 1.0);
            meters.show();
            stays
        });
        let text = recorder.handle().render();
        for line in [
            "ringway_gateway_connections 1",
            "ringway_gateway_messages_total{direction=\"in\"} 2",
            "ringway_gateway_bytes_total{direction=\"in\"} 15",
            "ringway_gateway_messages_total{direction=\"out\"} 1",
            "ringway_gateway_handshakes_total{result=\"ok\"} 1",
            "ringway_gateway_handshakes_total{result=\"token_missing\"} 1",
            "ringway_gateway_handshake_duration_seconds_count 2",
            "ringway_gateway_closes_total{code=\"1001\"} 1",
            "ringway_gateway_queue_bytes 7",
            "ringway_gateway_link_queue_bytes 0",
            "ringway_gateway_moving 3",
            "ringway_gateway_moves_total{result=\"moved\"} 1",
            "ringway_gateway_move_pause_seconds_count 1",
            "ringway_gateway_links{worker=\"w1\",state=\"up\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
