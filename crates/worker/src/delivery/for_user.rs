//! A message for a user whom this worker owns: checked, then placed, then answered.
//!
//! Placing it fixes its place among the user's messages. What is still to be done for the receipt, such as waiting for a
//! session that is to arrive, need not be waited for by those that follow.

use std::sync::Arc;

use ringway_cluster::View;
use ringway_dispatch::{Earlier, Way};
use ringway_proto::v1::{Guarantee, Message as WireMessage, Receipt, SendToUserRequest};
use ringway_proto::{Reason, Refusal};
use ringway_ring::RingVersion;
use ringway_session::{Circle, InVain, Message, NotHere, Tally};
use tokio::time::timeout_at;

use super::to_store::{StoringForUser, place_in_store};
use super::{Account, Pursuit};
use crate::fence::Place;
use crate::hub::Placed;
use crate::worker::Shared;

/// Where a message for a user has its place.
pub(super) enum ForUserPlace {
    /// It is on its way here.
    Here(PlacedForUser),
    /// It is about to be stored here.
    ToStore(StoringForUser),
    /// It belongs to another worker, by this view.
    Elsewhere(Arc<View>, SendToUserRequest),
}

/// Puts a message for a user on its way here, or gives it back when another worker owns the user. Waits, for a bounded time,
/// until it is known who may act for the user: until the view by which it was forwarded is seen here, until that view's ring is
/// adopted, until the others have said what they hold, and until earlier messages for the user that went another way are answered.
///
/// # Errors
/// What is wrong with the message; `OUT_OF_TURN`, if an earlier one was refused; or `NOT_OWNER` if this worker may not act for the user, and the message was forwarded already
/// or the time is over.
pub(super) async fn place_for_user(
    shared: &Arc<Shared>,
    mut request: SendToUserRequest,
    earlier: Option<&Earlier>,
) -> Result<ForUserPlace, Refusal> {
    let (user, checked) = shared.rules().user_send(&mut request)?;
    if checked.keeping.is_some() {
        return place_in_store(shared, request, (user, checked), earlier).await;
    }
    let (message, exclude) = checked.into_parts();
    let mut deadline = None;
    loop {
        // Whatever changes from here on is noticed; in the usual case nobody looks.
        let mut changes = deadline.map(|_| shared.hub.changes());
        let (view, place) = shared.place_when_seen(&request.user, request.routing.as_ref()).await?;
        if let Place::Elsewhere = place {
            return Ok(ForUserPlace::Elsewhere(view, request));
        }
        if let Some(earlier) = earlier {
            earlier.give_way(Way::Here).await?;
        }
        let why = match shared.hub.send_to_user(&user, &message, &exclude) {
            Ok(placed) => {
                let placed = PlacedForUser::new((shared, &view), placed, message, &mut request);
                return Ok(ForUserPlace::Here(placed));
            }
            Err(why) => why,
        };
        if why == NotHere::Crowded {
            return Err(not_here(shared, why));
        }
        // Of one whose lease has run out nobody knows when it may act again: by then the user's owner is another worker.
        if shared.hub.is_lapsed() {
            return Err(not_here(shared, why));
        }
        let deadline = *deadline.get_or_insert_with(|| shared.arrival_deadline());
        if let Some(changes) = &mut changes
            && timeout_at(deadline, changes.changed()).await.is_err()
        {
            return Err(not_here(shared, why));
        }
    }
}

/// The same for a message that can have its place here without waiting. Nothing if that cannot be; then nothing has been done but
/// that the message has its id.
///
/// # Errors
/// What is wrong with the message.
pub(super) fn place_at_once(
    shared: &Arc<Shared>,
    request: &mut SendToUserRequest,
    earlier: Option<&Earlier>,
) -> Result<Option<PlacedForUser>, Refusal> {
    let view = shared.view();
    let is_ours = view.owner(&request.user).is_some_and(|owner| shared.is_me(&owner.id));
    let lets_pass = earlier.is_none_or(|earlier| earlier.lets_pass(Way::Here));
    let is_kept =
        request.message.as_ref().is_some_and(|message| message.guarantee() != Guarantee::AtMostOnce);
    if is_kept || !is_ours || !lets_pass || shared.hub.is_leaving() {
        return Ok(None);
    }
    let (user, checked) = shared.rules().user_send(request)?;
    let (message, exclude) = checked.into_parts();
    let Ok(placed) = shared.hub.send_to_user(&user, &message, &exclude) else { return Ok(None) };
    Ok(Some(PlacedForUser::new((shared, &view), placed, message, request)))
}

/// A message that has its place.
pub(super) struct PlacedForUser {
    shared: Arc<Shared>,
    placed: Placed,
    /// The message, in case that a session that is to arrive goes to another worker.
    onward: Option<Box<Onward>>,
    message_id: String,
    version: RingVersion,
}

/// A message as it is given to sessions here, and as it came.
struct Onward {
    message: Message,
    wire: Option<WireMessage>,
}

impl PlacedForUser {
    /// It keeps the message, if a session is waited for.
    fn new(
        (shared, view): (&Arc<Shared>, &View),
        placed: Placed,
        message: Message,
        request: &mut SendToUserRequest,
    ) -> Self {
        let (shared, version) = (Arc::clone(shared), view.version());
        if placed.waits.is_empty() {
            return Self { shared, placed, onward: None, message_id: message.into_id(), version };
        }
        let message_id = message.id().to_owned();
        let onward = Box::new(Onward { message, wire: request.message.take() });
        Self { shared, placed, onward: Some(onward), message_id, version }
    }

    /// Whether the receipt waits for no session that is to arrive.
    pub(super) fn is_done(&self) -> bool {
        self.placed.waits.is_empty()
    }

    /// The receipt, if there is nothing at all to be waited for.
    ///
    /// # Errors
    /// The message, if there is.
    #[expect(clippy::result_large_err, reason = "it is moved either way")]
    pub(super) fn receipt_at_once(self) -> Result<Result<Receipt, Refusal>, Self> {
        if !self.placed.is_complete() {
            return Err(self);
        }
        let account = Account::new(Tally::new(Circle::User, self.placed.sent.reach));
        Ok(self.answer(account))
    }

    /// The receipt, when everything is done.
    ///
    /// # Errors
    /// `NOT_OWNER` if nobody was reached and a session of the user has not arrived in time, or belongs to another worker by now.
    pub(super) async fn receipt(mut self) -> Result<Receipt, Refusal> {
        let (placed, deadline) = (std::mem::take(&mut self.placed), self.shared.arrival_deadline());
        let onward = self.onward.take();
        let wire = onward.as_ref().map_or(&None, |onward| &onward.wire);
        let pursuit = Pursuit { wire, deadline };
        let mut account = self.shared.complete(placed, Circle::User, pursuit).await?;
        if let Some(onward) = &onward {
            self.shared.pursue(&onward.message, pursuit, &mut account).await?;
        }
        self.answer(account)
    }

    fn answer(self, account: Account) -> Result<Receipt, Refusal> {
        let Account { tally, unreached, .. } = account;
        let reach = tally.answer().map_err(|InVain| not_here(&self.shared, NotHere::NotOwner))?;
        Ok(Receipt { workers_unreached: unreached, ..super::receipt(reach, self.message_id, self.version) })
    }
}

pub(super) fn not_here(shared: &Shared, why: NotHere) -> Refusal {
    let (reason, message) = match why {
        NotHere::NotOwner => (
            Reason::NotOwner,
            "this worker may not act for the user now, or not yet; refresh the ring, try again",
        ),
        NotHere::Unsettled => {
            let message =
                "the user has only just come to this worker, and others have not let go yet; try again";
            (Reason::NotOwner, message)
        }
        NotHere::Crowded => {
            (Reason::Overloaded, "too many messages wait for sessions that are to arrive; try again later")
        }
    };
    Refusal::new(reason, message).with_ring(shared.hub.ring_version())
}
