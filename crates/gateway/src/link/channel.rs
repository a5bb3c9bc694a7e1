//! A client's hold on its session.
//!
//! A [`Channel`] is a guard: as long as it lives, the session's frames are passed, and when it is dropped, on whatever
//! path, every worker that may know the session is told `Gone`, unless it ended the session itself.
//!
//! A session waits for a client only if that has the resume token: from when it has its 101, and the welcome behind it. A client
//! that asks for an earlier session has the token of that one before.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ringway_proto::v1::PayloadKind;
use ringway_session::{CloseCode, SessionId};

use super::outbound::{End, Outbound};
use super::post::FromClient;
use super::queue::WaitingSince;
use super::seat::Seat;

/// One session, held by its client.
pub(crate) struct Channel {
    seat: Arc<Seat>,
    gone_code: CloseCode,
    may_resume: bool,
}

impl Channel {
    /// A session that is asked for; `resumes` says whether the client wants an earlier one.
    pub(crate) fn new(seat: Arc<Seat>, resumes: bool) -> Self {
        Self { seat, gone_code: CloseCode::ABNORMAL, may_resume: resumes }
    }

    /// The session is open: it is the one that was asked for by this id, a new one, or an earlier one.
    pub(crate) fn note_opened(&mut self, asked: SessionId) {
        self.may_resume &= self.seat.session_id() != asked;
    }

    /// The client has its 101: it may come back for the session.
    pub(crate) fn allow_resuming(&mut self) {
        self.may_resume = true;
    }

    /// What there is for the client.
    pub(crate) fn outbound(&self) -> &Outbound {
        self.seat.outbound()
    }

    /// Names the task to be woken when there is something for the client.
    pub(crate) fn register(&self, reader: &Waker) {
        self.seat.outbound().register(reader);
    }

    /// Whether there is room for another message of this client.
    pub(crate) fn poll_room(&self, cx: &Context<'_>, since: &mut WaitingSince) -> Poll<()> {
        self.seat.poll_room(cx, since)
    }

    /// Passes a client's message on.
    pub(crate) fn send(&self, payload: Bytes, kind: PayloadKind) {
        self.seat.send(FromClient { payload, kind });
    }

    /// Notes that messages of this cost have left for the client.
    pub(crate) fn written(&self, cost_bytes: u64) {
        self.seat.written(cost_bytes);
    }

    /// Tells the client to go, because the gateway does.
    pub(crate) fn farewell(&self, end: End, delay_ms: u64) {
        self.seat.farewell(end, delay_ms);
    }

    /// Notes the close code that the client has sent, or 1005 for none (RFC 6455 section 7.1.5). It does not come back for
    /// the session then.
    pub(crate) fn set_gone_code(&mut self, code: CloseCode) {
        self.gone_code = code;
        self.may_resume = false;
    }

    /// Notes that the client is not to come back for the session.
    pub(crate) fn forbid_resuming(&mut self) {
        self.may_resume = false;
    }

    /// Tells the workers now that the client is gone, unless they know, before the guard is dropped.
    pub(crate) fn leave(&mut self) {
        self.seat.leave(self.gone_code, self.may_resume);
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // The socket is closed with its client, whoever else knows the session.
        drop(self.outbound().take_pen());
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringway_proto::v1::Open;
    use ringway_ring::Slot;
    use tokio::io::AsyncReadExt as _;

    use super::super::testing::{link, pen};
    use super::*;
    use crate::metrics::Meters;

    const DEADLINE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_socket_is_closed_with_its_client_whoever_else_knows_the_session() {
        let ((pen, mut client), link) = (pen().await, link(Meters::new()));
        let id = SessionId::new(Slot::of(b"alice"), 1);
        let (channel, _) = link.open(id, Open::default()).expect("the link is up");
        let seats = link.seats();
        assert!(channel.outbound().leave_pen(pen).is_ok());
        drop(channel);
        let end = tokio::time::timeout(DEADLINE, async { client.read(&mut [0; 8]).await }).await;
        assert_eq!(end.expect("an end").expect("no error"), 0);
        drop(seats);
    }
}
