//! The count of connections: how long handshakes took, which failed and why, and how sockets ended.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::failure::{ConnectFailure, End};
use crate::traffic::Latency;

/// How many causes are told apart. There are a dozen; the rest is counted as one.
const CAUSES_MAX: usize = 50;

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// From when a handshake was due until its socket was open.
    pub(crate) handshakes: Latency,
    opened: AtomicU64,
    open: AtomicU64,
    failures: Causes,
    ends: Causes,
}

/// How often something happened, by cause.
#[derive(Debug, Default)]
struct Causes(Mutex<BTreeMap<String, u64>>);

impl Connections {
    /// A socket is open.
    pub(crate) fn opened(&self, took: Duration) {
        self.handshakes.record(took);
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// There is no socket.
    pub(crate) fn failed(&self, failure: &ConnectFailure) {
        self.failures.add(failure.to_string());
    }

    /// A socket has ended.
    pub(crate) fn ended(&self, end: &End) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        if !matches!(end, End::Left) {
            self.ends.add(end.to_string());
        }
    }

    /// How many were ever open.
    pub(crate) fn opened_so_far(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// How many are open now.
    pub(crate) fn open_now(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Why handshakes failed.
    pub(crate) fn failures(&self) -> BTreeMap<String, u64> {
        self.failures.0.lock().clone()
    }

    /// How sockets ended whose clients had not left.
    pub(crate) fn ends(&self) -> BTreeMap<String, u64> {
        self.ends.0.lock().clone()
    }
}

impl Causes {
    fn add(&self, cause: String) {
        let mut causes = self.0.lock();
        let known = causes.len() < CAUSES_MAX || causes.contains_key(&cause);
        *causes.entry(if known { cause } else { "other".to_owned() }).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_counted() {
        let connections = Connections::default();
        (0..3).for_each(|_| connections.opened(Duration::from_millis(1)));
        connections.failed(&ConnectFailure::Timeout);
        connections.failed(&ConnectFailure::Http(401));
        connections.failed(&ConnectFailure::Http(401));
        connections.ended(&End::Left);
        connections.ended(&End::Closed(1001));
        assert_eq!((connections.opened_so_far(), connections.open_now()), (3, 1));
        let counted = |causes: BTreeMap<String, u64>| format!("{causes:?}");
        assert_eq!(counted(connections.failures()), r#"{"HTTP 401": 2, "timeout": 1}"#);
        assert_eq!(counted(connections.ends()), r#"{"closed with 1001": 1}"#);
    }

    #[test]
    fn causes_are_bounded() {
        let causes = Causes::default();
        (0..1_000).for_each(|number| causes.add(format!("cause {number}")));
        assert!(causes.0.lock().len() <= CAUSES_MAX + 1);
        assert_eq!(causes.0.lock()["other"], 1_000 - CAUSES_MAX as u64);
    }
}
