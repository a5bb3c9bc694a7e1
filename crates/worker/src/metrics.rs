//! What a worker counts, each with the label `worker`. What it is also [asked for](crate::Worker::status) it counts twice, since
//! the recorder's counters cannot be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};
use ringway_proto::Reason;
use ringway_ring::MemberId;
use ringway_session::frame::ErrorCode;
use ringway_session::{CloseCode, Payload, Reach};

/// To whom a message goes, as a label.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    User,
    Group,
    All,
    Arriving,
    Echo,
}

/// A counter that can be read.
#[derive(Clone)]
pub(crate) struct Counted {
    shown: Counter,
    total: Arc<AtomicU64>,
}

/// Handles made once, so that counting costs an addition.
#[derive(Clone)]
pub(crate) struct Metrics {
    worker: String,
    sessions: Gauge,
    users: Gauge,
    groups: Gauge,
    /// Sessions that were asked for and are open.
    opened: Counter,
    pub(crate) links: Gauge,
    pub(crate) queue_bytes: Gauge,
    messages_to_user: Counter,
    messages_to_group: Counter,
    messages_to_all: Counter,
    messages_to_arriving: Counter,
    echoes: Counter,
    suspended: Counter,
    pub(crate) expired: Counter,
    in_transit: Gauge,
    expected: Gauge,
    /// Messages of every target together.
    messages: Arc<AtomicU64>,
    pub(crate) moves_detached: Counted,
    /// Sessions that have come from elsewhere.
    pub(crate) arrived: Arc<AtomicU64>,
    pub(crate) deliveries: Counted,
    pub(crate) delivered_bytes: Counted,
    pub(crate) overflows: Counted,
    pub(crate) client_messages: Counted,
    pub(crate) client_bytes: Counter,
    pub(crate) forwards: Counter,
    pub(crate) not_owner: Counter,
    stored: Counter,
    pub(crate) store_errors: Counter,
    mailboxes_opened: [Counter; 2],
    pub(crate) presence_streams: Gauge,
    pub(crate) presence_watched: Gauge,
    pub(crate) presence_exported: Gauge,
    pub(crate) presence_export_failures: Counter,
    pub(crate) presence_lives_removed: Counter,
}

impl Metrics {
    pub(crate) fn new(id: &MemberId) -> Self {
        describe();
        let worker = id.to_string();
        let gauge = |name: &'static str| gauge!(name, "worker" => worker.clone());
        let counter = |name: &'static str| counter!(name, "worker" => worker.clone());
        let counted = |name: &'static str| Counted { shown: counter(name), total: Arc::default() };
        let messages = |target: &'static str| counter!("ringway_worker_messages_total", "worker" => worker.clone(), "target" => target);
        Metrics {
            sessions: gauge("ringway_worker_sessions"),
            users: gauge("ringway_worker_users"),
            groups: gauge("ringway_worker_groups"),
            opened: opens(&worker, "ok"),
            links: gauge("ringway_worker_links"),
            queue_bytes: gauge("ringway_worker_link_queue_bytes"),
            messages_to_user: messages("user"),
            messages_to_group: messages("group"),
            messages_to_all: messages("all"),
            messages_to_arriving: messages("arriving"),
            echoes: messages("echo"),
            suspended: counter("ringway_worker_suspended_deliveries_total"),
            expired: counter("ringway_worker_sessions_expired_total"),
            in_transit: gauge("ringway_worker_sessions_in_transit"),
            expected: gauge("ringway_worker_sessions_expected"),
            messages: Arc::default(),
            moves_detached: counted("ringway_worker_sessions_detached_total"),
            arrived: Arc::default(),
            deliveries: counted("ringway_worker_deliveries_total"),
            delivered_bytes: counted("ringway_worker_delivered_bytes_total"),
            overflows: counted("ringway_worker_overflows_total"),
            client_messages: counted("ringway_worker_client_messages_total"),
            client_bytes: counter("ringway_worker_client_bytes_total"),
            forwards: counter("ringway_worker_forwards_total"),
            not_owner: counter("ringway_worker_not_owner_total"),
            stored: counter("ringway_worker_messages_stored_total"),
            store_errors: counter("ringway_worker_messages_not_stored_total"),
            mailboxes_opened: ["error", "ok"].map(|result| {
                counter!("ringway_worker_mailboxes_opened_total", "worker" => worker.clone(), "result" => result)
            }),
            presence_streams: gauge("ringway_worker_presence_streams"),
            presence_watched: gauge("ringway_worker_presence_watched"),
            presence_exported: gauge("ringway_worker_presence_exported"),
            presence_export_failures: counter("ringway_worker_presence_export_failures_total"),
            presence_lives_removed: counter("ringway_worker_presence_lives_removed_total"),
            worker,
        }
    }

    /// Messages put on their way here, so far.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// So many messages are in mailboxes now.
    pub(crate) fn stored(&self, messages: usize) {
        self.stored.increment(messages as u64);
    }

    /// A mailbox was opened for a session, or could not be.
    pub(crate) fn mailbox_opened(&self, is_open: bool) {
        self.mailboxes_opened[usize::from(is_open)].increment(1);
    }

    pub(crate) fn population(&self, sessions: usize, users: usize, groups: usize) {
        self.sessions.set(sessions as f64);
        self.users.set(users as f64);
        self.groups.set(groups as f64);
    }

    /// How many sessions have left and not arrived, and how many are to arrive here.
    pub(crate) fn on_the_way(&self, in_transit: usize, expected: usize) {
        self.in_transit.set(in_transit as f64);
        self.expected.set(expected as f64);
    }

    /// A message to a `user`, a `group`, `all`, sessions `arriving` from another worker, or an `echo`.
    pub(crate) fn sent(&self, to: Target, reach: Reach, payload: &Payload) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        match to {
            Target::User => self.messages_to_user.increment(1),
            Target::Group => self.messages_to_group.increment(1),
            Target::All => self.messages_to_all.increment(1),
            Target::Arriving => self.messages_to_arriving.increment(1),
            Target::Echo => self.echoes.increment(1),
        }
        self.suspended.increment(reach.suspended.into());
        self.deliveries.increment(reach.sessions.into());
        self.delivered_bytes.increment(u64::from(reach.sessions) * payload.bytes().len() as u64);
        self.overflows.increment(reach.overflowed.into());
    }

    /// A handshake's result: `ok` or the reason of the refusal.
    pub(crate) fn opened(&self, result: &'static str) {
        match result {
            "ok" => self.opened.increment(1),
            _ => opens(&self.worker, result).increment(1),
        }
    }

    /// What a client sent was refused.
    pub(crate) fn client_error(&self, code: ErrorCode) {
        counter!("ringway_worker_client_errors_total", "worker" => self.worker.clone(), "code" => code.as_str())
            .increment(1);
    }

    /// What a client sent to others is sent again.
    pub(crate) fn client_send_retried(&self, reason: Reason) {
        counter!("ringway_worker_client_retries_total", "worker" => self.worker.clone(), "reason" => reason.name())
            .increment(1);
    }

    pub(crate) fn closed(&self, code: CloseCode) {
        counter!("ringway_worker_closes_total", "worker" => self.worker.clone(), "code" => code.label())
            .increment(1);
    }
}

impl Counted {
    pub(crate) fn increment(&self, by: u64) {
        self.shown.increment(by);
        self.total.fetch_add(by, Ordering::Relaxed);
    }

    /// How far it is.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

fn opens(worker: &str, result: &'static str) -> Counter {
    counter!("ringway_worker_opens_total", "worker" => worker.to_owned(), "result" => result)
}

fn describe() {
    describe_gauge!("ringway_worker_sessions", "Sessions.");
    describe_gauge!("ringway_worker_users", "Users with sessions.");
    describe_gauge!("ringway_worker_groups", "Groups with members here.");
    describe_gauge!("ringway_worker_links", "Links of gateways.");
    describe_gauge!("ringway_worker_link_queue_bytes", Unit::Bytes, "Bytes of frames that wait for links.");
    describe_counter!("ringway_worker_messages_total", "Messages put on their way here, by target.");
    describe_counter!(
        "ringway_worker_deliveries_total",
        "Sessions that those messages were put on the way to."
    );
    describe_counter!(
        "ringway_worker_delivered_bytes_total",
        Unit::Bytes,
        "Payload bytes of those deliveries."
    );
    describe_counter!("ringway_worker_overflows_total", "Deliveries that found a session's queue full.");
    describe_counter!(
        "ringway_worker_suspended_deliveries_total",
        "Deliveries that wait with sessions whose clients are away."
    );
    describe_counter!(
        "ringway_worker_sessions_expired_total",
        "Sessions that ended because their clients did not come back in time."
    );
    describe_gauge!(
        "ringway_worker_sessions_in_transit",
        "Sessions that have left for other workers and not arrived."
    );
    describe_gauge!("ringway_worker_sessions_expected", "Sessions that are to arrive from other workers.");
    describe_counter!("ringway_worker_sessions_detached_total", "Sessions that this worker has let go.");
    describe_counter!("ringway_worker_client_messages_total", "Messages from clients.");
    describe_counter!("ringway_worker_client_bytes_total", Unit::Bytes, "Payload bytes of those messages.");
    describe_counter!("ringway_worker_client_errors_total", "Frames of clients that were refused, by code.");
    describe_counter!(
        "ringway_worker_client_retries_total",
        "Messages of clients to others that were sent again, by the reason of the refusal before."
    );
    describe_counter!("ringway_worker_opens_total", "Sessions asked for, by result: ok or why not.");
    describe_counter!("ringway_worker_closes_total", "Sessions closed by this worker, by close code.");
    describe_counter!("ringway_worker_forwards_total", "Calls that another worker owns, forwarded to it.");
    describe_counter!("ringway_worker_messages_stored_total", "Messages that were put into mailboxes.");
    describe_counter!("ringway_worker_messages_not_stored_total", "Messages that the store did not take.");
    describe_counter!("ringway_worker_mailboxes_opened_total", "Mailboxes opened for sessions, by result.");
    describe_counter!(
        "ringway_worker_not_owner_total",
        "Forwarded calls refused because another worker owns them."
    );
    describe_gauge!("ringway_worker_presence_streams", "Streams of those who watch this worker's users.");
    describe_gauge!("ringway_worker_presence_watched", "Users whom clients here watch.");
    describe_gauge!("ringway_worker_presence_exported", "Users whom this worker has exported as online.");
    describe_counter!(
        "ringway_worker_presence_export_failures_total",
        "Writes of presence that the store did not take; they are tried again."
    );
    describe_counter!(
        "ringway_worker_presence_lives_removed_total",
        "Lives of dead workers that this worker has taken out of the export."
    );
}
