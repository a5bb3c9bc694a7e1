//! What is still to be done for a message that was put on its way: the waits for sessions that are to arrive, and the
//! sessions that have left and not arrived elsewhere. What it comes to is [`Tally`]'s business.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ringway_proto::Refusal;
use ringway_proto::v1::deliver_local_request::Target;
use ringway_proto::v1::{DeliverLocalRequest, Message as WireMessage, SessionIds};
use ringway_ring::MemberId;
use ringway_session::{Circle, Message, SessionId, Tally};
use tokio::time::Instant;

use super::{Account, ask};
use crate::hub::{Placed, Receivers, Wait};
use crate::worker::Shared;

impl Shared {
    /// Waits for what is still to be done, for a bounded time, and slows the caller down while links are crowded. The message is
    /// for those to whom it must be sent on.
    ///
    /// # Errors
    /// `INTERNAL` if a part of it failed by a defect.
    pub(crate) async fn complete(
        self: &Arc<Self>,
        placed: Placed,
        circle: Circle,
        message: Option<WireMessage>,
    ) -> Result<Account, Refusal> {
        let mut account = Account::new(Tally::new(circle, placed.sent.reach));
        let deadline = Instant::now() + self.config.arrival_wait_max;
        self.send_onward(placed.sent.onward, &message, &mut account).await?;
        self.await_arrivals(placed.waits, deadline, &mut account.tally).await;
        let (_, elsewhere) = self.by_owner(account.tally.take_strayed());
        self.send_onward(elsewhere, &message, &mut account).await?;
        self.wait_for_room(&placed.crowded).await;
        Ok(account)
    }

    /// Waits for sessions that are to arrive.
    async fn await_arrivals(&self, waits: Vec<Wait>, deadline: Instant, tally: &mut Tally) {
        let mut fates: FuturesUnordered<_> =
            waits.into_iter().map(|wait| self.hub.fate(wait, deadline)).collect();
        while let Some((ticket, fate)) = fates.next().await {
            match fate {
                Some(fate) => tally.settled(ticket, fate),
                None => tally.late(),
            }
        }
    }

    /// Sends a message after sessions that have left the workers that were asked, and they could not say to whom.
    pub(super) async fn follow_strayed(
        self: &Arc<Self>,
        message: &Message,
        wire: Option<WireMessage>,
        account: &mut Account,
    ) -> Result<(), Refusal> {
        let (ours, elsewhere) = self.by_owner(account.tally.take_strayed());
        if !ours.is_empty() {
            let placed = self.hub.send(&Receivers::Sessions(ours), message, &[]);
            account.merge(self.complete(placed, Circle::Many, wire.clone()).await?);
        }
        self.send_onward(elsewhere, &wire, account).await
    }

    /// Sessions that are ours now, and those of other workers.
    fn by_owner(&self, sessions: Vec<SessionId>) -> (Vec<SessionId>, BTreeMap<MemberId, Vec<SessionId>>) {
        let view = self.view();
        let (mut ours, mut elsewhere) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for session in sessions {
            match view.owner_of_slot(session.slot()) {
                Some(owner) if self.is_me(&owner.id) => ours.push(session),
                Some(owner) => elsewhere.entry(owner.id.clone()).or_default().push(session),
                None => {}
            }
        }
        (ours, elsewhere)
    }

    /// Sends a message after the sessions that have left, each to its new owner.
    async fn send_onward(
        self: &Arc<Self>,
        onward: BTreeMap<MemberId, Vec<SessionId>>,
        message: &Option<WireMessage>,
        account: &mut Account,
    ) -> Result<(), Refusal> {
        if onward.is_empty() {
            return Ok(());
        }
        let view = self.view();
        let parts = FuturesUnordered::new();
        for (owner, sessions) in onward {
            let ids = sessions.iter().map(|id| id.to_bytes().to_vec().into()).collect();
            let target = Some(Target::Sessions(SessionIds { ids }));
            match view.member(&owner) {
                Some(member) => {
                    parts.push(ask(self, member, DeliverLocalRequest { target, message: message.clone() }));
                }
                None => account.unreached(&owner),
            }
        }
        account.gather(parts).await
    }
}
