//! A message for a user whom this worker owns, and which is to be stored: checked, then given to the user's desk, then answered.
//!
//! Nobody waits for sessions that are to arrive: they find it in the mailbox.

use std::sync::Arc;
use std::time::Duration;

use ringway_dispatch::{CheckedSend, Earlier, Way, wait_acknowledged};
use ringway_proto::v1::{Outcome, Receipt, SendToUserRequest};
use ringway_proto::{Reason, Refusal};
use ringway_ring::RingVersion;
use ringway_session::{NotHere, UserId};
use ringway_store::StoreError;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::for_user::{ForUserPlace, not_here};
use crate::fence::Place;
use crate::mailbox::{IsStored, ToStore};
use crate::worker::Shared;

/// A message that has its place at the user's desk.
pub(super) struct StoringForUser {
    stored: oneshot::Receiver<Result<IsStored, StoreError>>,
    acknowledged: Option<oneshot::Receiver<()>>,
    wait: Duration,
    message_id: String,
    version: RingVersion,
}

/// Puts a message to the user's desk, or gives it back when another worker owns the user.
///
/// # Errors
/// `NO_MAILBOXES`; `OUT_OF_TURN`, if an earlier one was refused; or `NOT_OWNER` if this worker may not act for the user.
pub(super) async fn place_in_store(
    shared: &Arc<Shared>,
    request: SendToUserRequest,
    (user, checked): (UserId, CheckedSend),
    earlier: Option<&Earlier>,
) -> Result<ForUserPlace, Refusal> {
    let (view, place) = shared.place_when_seen(&request.user, request.routing.as_ref()).await?;
    if let Place::Elsewhere = place {
        return Ok(ForUserPlace::Elsewhere(view, request));
    }
    let office = shared.office.as_ref().ok_or_else(no_mailboxes)?;
    if let Some(earlier) = earlier {
        earlier.give_way(Way::Store).await?;
    }
    if shared.hub.is_lapsed() {
        return Err(not_here(shared, NotHere::NotOwner));
    }
    let (keeping, wait) = (checked.keeping.unwrap_or_default(), wait_acknowledged(&request));
    let (message, _) = checked.into_parts();
    let message_id = message.id().to_owned();
    let (acknowledge, acknowledged) = (!wait.is_zero()).then(oneshot::channel).unzip();
    let stored = shared.store(office, &user, ToStore { message, keeping, acknowledged: acknowledge });
    let version = view.version();
    Ok(ForUserPlace::ToStore(StoringForUser { stored, acknowledged, wait, message_id, version }))
}

impl StoringForUser {
    /// The receipt, when it is stored, and acknowledged if that is waited for.
    ///
    /// # Errors
    /// What the store says. The message may be stored all the same when it is `STORE_UNAVAILABLE`.
    pub(super) async fn receipt(self) -> Result<Receipt, Refusal> {
        let Self { stored, acknowledged, wait, message_id, version } = self;
        let stored = match stored.await {
            Ok(stored) => stored.map_err(|error| refusal_of_store(&error))?,
            Err(_) => return Err(Refusal::new(Reason::StoreUnavailable, "the worker is ending; try again")),
        };
        let is_acknowledged = match acknowledged {
            Some(acknowledged) => matches!(timeout(wait, acknowledged).await, Ok(Ok(()))),
            None => false,
        };
        let outcome = if stored.reach.sessions > 0 { Outcome::Delivered } else { Outcome::Stored };
        Ok(Receipt {
            outcome: outcome.into(),
            stored_offset: stored.offset,
            is_duplicate: stored.is_duplicate,
            is_acknowledged,
            ..super::receipt(stored.reach, message_id, version)
        })
    }
}

/// The cluster stores nothing.
pub(crate) fn no_mailboxes() -> Refusal {
    let message = "this cluster keeps no mailboxes; set `mailbox.store` at the workers, or send at most once";
    Refusal::new(Reason::NoMailboxes, message)
}

/// What a store says, as callers are told.
pub(crate) fn refusal_of_store(error: &StoreError) -> Refusal {
    let reason = match error {
        StoreError::Full { .. } => Reason::StoreFull,
        StoreError::TooLarge { .. } => Reason::MessageTooLarge,
        StoreError::NeverAppended { .. } => Reason::Internal,
        StoreError::Conflict | StoreError::Unavailable { .. } | StoreError::Refused { .. } => {
            Reason::StoreUnavailable
        }
    };
    Refusal::new(reason, error.to_string())
}
