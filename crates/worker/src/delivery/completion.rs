//! What is still to be done for a message that was put on its way: the waits for sessions that are to arrive, and the
//! sessions that have left. What it comes to is [`Tally`]'s business.
//!
//! For a moment workers act by different rings: a session may belong to another worker than the one that was asked for it, by the
//! ring of that one. Whoever has taken the message from its sender looks again and again, until the rings agree.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ringway_proto::v1::deliver_local_request::Target;
use ringway_proto::v1::{DeliverLocalRequest, Message as WireMessage, SessionIds};
use ringway_proto::{Reason, Refusal};
use ringway_ring::MemberId;
use ringway_session::{Circle, Message, SessionId, Tally};
use tokio::time::{Instant, sleep_until};

use super::{Account, ask};
use crate::hub::{Placed, Receivers, Wait};
use crate::worker::Shared;

/// The rest before sessions are looked for once more that were not where they seemed to belong.
const PURSUIT_PAUSE: Duration = Duration::from_millis(20);

impl Shared {
    /// Waits until that moment for what is still to be done, and slows the caller down while links are crowded. The message is
    /// for those to whom it must be sent on. Sessions that have strayed are left in the account.
    ///
    /// # Errors
    /// `INTERNAL` if a part of it failed by a defect.
    pub(crate) async fn complete(
        self: &Arc<Self>,
        placed: Placed,
        circle: Circle,
        message: &Option<WireMessage>,
        deadline: Instant,
    ) -> Result<Account, Refusal> {
        let mut account = Account::new(Tally::new(circle, placed.sent.reach));
        account.tally.stray(placed.sent.strayed);
        self.send_onward(placed.sent.onward, message, &mut account).await?;
        self.await_arrivals(placed.waits, deadline, &mut account.tally).await;
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

    /// Sends a message after sessions that have strayed, until they are found, or until that moment.
    ///
    /// # Errors
    /// As [`Shared::complete`].
    pub(super) async fn pursue(
        self: &Arc<Self>,
        message: &Message,
        wire: &Option<WireMessage>,
        deadline: Instant,
        account: &mut Account,
    ) -> Result<(), Refusal> {
        loop {
            let (ours, elsewhere) = self.by_owner(account.tally.take_strayed());
            if !ours.is_empty() {
                let placed = self.hub.send(&Receivers::Sessions(ours), message, &[]);
                account.merge(self.complete(placed, Circle::Many, wire, deadline).await?);
            }
            self.send_onward(elsewhere, wire, account).await?;
            if !account.tally.has_strayed() {
                return Ok(());
            }
            let next = Instant::now() + PURSUIT_PAUSE;
            if next >= deadline {
                account.tally.give_up_strayed();
                return Ok(());
            }
            sleep_until(next).await;
        }
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

    /// Sends a message after sessions, to those to whom they belong. Whoever cannot be reached may have left, and somebody knows of it
    /// by now: those sessions have strayed, the first time.
    async fn send_onward(
        self: &Arc<Self>,
        onward: BTreeMap<MemberId, Vec<SessionId>>,
        message: &Option<WireMessage>,
        account: &mut Account,
    ) -> Result<(), Refusal> {
        if onward.is_empty() {
            return Ok(());
        }
        let (view, mut parts) = (self.view(), FuturesUnordered::new());
        for (owner, sessions) in onward {
            let Some(member) = view.member(&owner) else {
                account.tally.stray(sessions);
                continue;
            };
            let ids = sessions.iter().map(|id| id.to_bytes().to_vec().into()).collect();
            let target = Some(Target::Sessions(SessionIds { ids }));
            let part = ask(self, member, DeliverLocalRequest { target, message: message.clone() });
            parts.push(async move { (sessions, part.await) });
        }
        while let Some((sessions, part)) = parts.next().await {
            match part.map_err(|error| Refusal::new(Reason::Internal, error.to_string()))? {
                (_, Ok(part)) => account.add(part),
                (worker, Err(refusal)) => account.not_sent_onward(&worker, sessions, &refusal),
            }
        }
        Ok(())
    }
}
