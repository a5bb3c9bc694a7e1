//! The time in which a new connection must show that it belongs to the cluster.
//!
//! A connection takes one of `connections_max` slots, so a stranger must not hold one for as long as it likes. First
//! all of the HTTP/2 preface must come, within `preface_timeout`; then one call with the cluster secret, within
//! `authenticate_timeout` of the beginning. The law: nothing but [`Admission::grant`] ends a probation well, however
//! much a connection says.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

use super::ServerConfig;

/// The client's preface, "PRI * HTTP/2.0" and what follows it (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;

/// What a connection and its calls share: whether one of them has shown the secret. Requests carry it as an extension.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission(Arc<AtomicBool>);

impl Admission {
    /// A call on this connection has shown the cluster secret.
    pub(super) fn grant(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_granted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that has not shown the secret yet.
pub(super) struct Probation {
    admission: Admission,
    timer: Pin<Box<Sleep>>,
    preface_bytes_missing: usize,
    authenticate_by: Instant,
}

impl Probation {
    pub(super) fn begin(config: &ServerConfig) -> Self {
        let now = Instant::now();
        Probation {
            admission: Admission::default(),
            timer: Box::pin(tokio::time::sleep_until(now + config.preface_timeout)),
            preface_bytes_missing: PREFACE_BYTES,
            authenticate_by: now + config.authenticate_timeout,
        }
    }

    pub(super) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// So many bytes have come. Preface missing -> secret missing, once all of the preface is there.
    pub(super) fn heard(&mut self, bytes: usize) {
        if self.preface_bytes_missing == 0 {
            return;
        }
        self.preface_bytes_missing = self.preface_bytes_missing.saturating_sub(bytes);
        if self.preface_bytes_missing == 0 {
            self.timer.as_mut().reset(self.authenticate_by);
        }
    }

    /// Waits for the end of the probation: well, or with what did not come in time.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if self.admission.is_granted() {
            return Poll::Ready(Ok(()));
        }
        self.timer.as_mut().poll(cx).map(|()| match self.preface_bytes_missing {
            0 => Err("no call has shown the cluster secret on a new connection"),
            _ => Err("the HTTP/2 preface has not come on a new connection"),
        })
    }
}
