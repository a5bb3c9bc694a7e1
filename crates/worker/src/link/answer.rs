//! Answers to clients' frames: what they say, and how they find a session that has moved meanwhile.

use std::sync::Arc;

use ringway_dispatch::Attempts;
use ringway_proto::v1::{AnswerRequest, Outcome, Receipt};
use ringway_proto::{Reason, Refusal};
use ringway_session::frame::{self, FrameError, Reply};
use ringway_session::{Payload, SessionId, Target};
use tokio::time::{timeout, timeout_at};
use tracing::debug;

use crate::worker::Shared;

/// The answer to a send, if there is one: an error always, a receipt only to a frame with a name.
pub(super) fn to_send(
    reference: Option<&str>,
    answer: Result<Receipt, Refusal>,
    attempts: Attempts,
) -> Option<Payload> {
    match answer {
        Ok(receipt) => {
            let (outcome, id) = (outcome_name(receipt.outcome()), receipt.message_id.as_str());
            reference.map(|name| frame::reply(name, Reply::Sent { outcome, sessions: receipt.sessions, id }))
        }
        Err(refusal) => {
            debug!(%refusal, attempts = attempts.count, "what a client sent was refused");
            Some(frame::error(reference, &frame_error(refusal)))
        }
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::NoSession => "no_session",
        Outcome::Overflowed => "overflowed",
        Outcome::Suspended => "suspended",
        Outcome::Stored => "stored",
        Outcome::Unspecified => "unknown",
    }
}

/// A refusal as a client is told it. What is wrong with its message it is told in full; which worker is in trouble is not its
/// business.
pub(super) fn frame_error(refusal: Refusal) -> FrameError {
    let unavailable =
        || FrameError::Unavailable("the cluster cannot do that at the moment; try again".to_owned());
    match refusal.reason {
        Reason::InvalidArgument => FrameError::Invalid(refusal.message),
        Reason::MessageTooLarge => FrameError::TooLarge(refusal.message),
        Reason::Overloaded => {
            FrameError::Busy("the cluster has no room for that at the moment; try again".to_owned())
        }
        Reason::NotOwner
        | Reason::OutOfTurn
        | Reason::NoWorkers
        | Reason::Draining
        | Reason::Unreachable
        | Reason::StoreUnavailable
        | Reason::StoreFull => unavailable(),
        Reason::ConnectionLost | Reason::DeadlineExceeded => {
            FrameError::OutcomeUnknown("the worker that had to do it did not answer".to_owned())
        }
        Reason::Unauthenticated
        | Reason::SessionNotFound
        | Reason::MembersFixed
        | Reason::NoMailboxes
        | Reason::Internal => FrameError::Internal("the cluster failed to do that, by a defect".to_owned()),
    }
}

/// Gives an answer to a session: here, or wherever it is by now.
pub(super) fn give(shared: &Arc<Shared>, session: SessionId, answer: Payload) {
    if shared.hub.answer(session, &answer) {
        return;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        if let Err(refusal) = bring(&shared, session, answer).await {
            debug!(%session, %refusal, "the answer to a client's frame did not find its session");
        }
    });
}

async fn bring(shared: &Arc<Shared>, session: SessionId, answer: Payload) -> Result<(), Refusal> {
    let view = shared.view();
    match view.owner_of_slot(session.slot()) {
        Some(owner) if shared.is_me(&owner.id) => shared.answer_when_here(session, &answer).await,
        Some(owner) => {
            let mut peer = shared.pool.node(&owner.rpc_url).peer();
            let session_id = session.to_bytes().to_vec().into();
            let call = peer.answer(AnswerRequest { session_id, frame: answer.into_bytes() });
            let answered = timeout(shared.config.peer_timeout, call).await;
            let late = |_| Refusal::new(Reason::DeadlineExceeded, "the worker did not answer in time");
            answered.map_err(late)?.map(drop).map_err(|status| Refusal::from_status(&status))
        }
        None => Ok(()),
    }
}

impl Shared {
    /// Gives an answer to a session as soon as that has arrived. One that has ended needs none.
    ///
    /// # Errors
    /// `NOT_OWNER` if it has not arrived in time.
    pub(crate) async fn answer_when_here(&self, session: SessionId, answer: &Payload) -> Result<(), Refusal> {
        let deadline = self.arrival_deadline();
        let mut changes = self.hub.changes();
        while !self.hub.answer(session, answer) && !self.hub.has_arrived(&Target::Session(session)) {
            if timeout_at(deadline, changes.changed()).await.is_err() {
                let message = "the session has not arrived in time";
                return Err(Refusal::new(Reason::NotOwner, message).with_ring(self.hub.ring_version()));
            }
        }
        Ok(())
    }
}
