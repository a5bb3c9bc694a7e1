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
use ringway_session::{Circle, Message, Reach, SessionId, Tally};
use tokio::time::{Instant, sleep};

use super::{Account, ask};
use crate::hub::{Placed, Receivers, Wait};
use crate::worker::Shared;

/// The rest before sessions are looked for once more that were not where they seemed to belong: longer each time.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(160);

/// A message as it came, for those to whom it is sent on, and until when it is waited for sessions.
#[derive(Clone, Copy)]
pub(crate) struct Pursuit<'a> {
    pub(crate) wire: &'a Option<WireMessage>,
    pub(crate) deadline: Instant,
}

/// Sessions by their owners.
#[derive(Default)]
struct Owners {
    ours: Vec<SessionId>,
    elsewhere: BTreeMap<MemberId, Vec<SessionId>>,
    /// There is no active worker.
    nowhere: Vec<SessionId>,
}

impl Pursuit<'_> {
    /// How much of the time is left, in milliseconds; not 0, for that means that nothing is said of it.
    pub(super) fn left_ms(self) -> u32 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1)
    }
}

impl Shared {
    /// Waits for what is still to be done, for a bounded time, and slows the caller down while links are crowded. Sessions that have
    /// strayed are left in the account.
    ///
    /// # Errors
    /// `INTERNAL` if a part of it failed by a defect.
    pub(crate) async fn complete(
        self: &Arc<Self>,
        placed: Placed,
        circle: Circle,
        pursuit: Pursuit<'_>,
    ) -> Result<Account, Refusal> {
        let mut account = Account::new(Tally::new(circle, placed.sent.reach));
        account.tally.stray(placed.sent.strayed);
        self.send_onward(placed.sent.onward, pursuit, &mut account).await?;
        self.await_arrivals(placed.waits, pursuit.deadline, &mut account.tally).await;
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

    /// Sends a message after sessions that have strayed, until they are found, or the time is over. Those of one worker wait for none
    /// of another's.
    ///
    /// # Errors
    /// As [`Shared::complete`].
    pub(super) async fn pursue(
        self: &Arc<Self>,
        message: &Message,
        pursuit: Pursuit<'_>,
        account: &mut Account,
    ) -> Result<(), Refusal> {
        let strayed = account.tally.take_strayed();
        if strayed.is_empty() {
            return Ok(());
        }
        let Owners { ours, elsewhere, nowhere } = self.owners(strayed);
        let together = [ours, nowhere].into_iter().chain(elsewhere.into_values());
        let together = together.filter(|sessions| !sessions.is_empty());
        let mut parts: FuturesUnordered<_> =
            together.map(|sessions| self.look_for(sessions, message, pursuit)).collect();
        while let Some(part) = parts.next().await {
            account.merge(part?);
        }
        Ok(())
    }

    /// Looks for sessions again and again, and once more when the time is over.
    async fn look_for(
        self: &Arc<Self>,
        sessions: Vec<SessionId>,
        message: &Message,
        pursuit: Pursuit<'_>,
    ) -> Result<Account, Refusal> {
        let mut account = Account::new(Tally::new(Circle::Many, Reach::default()));
        account.tally.stray(sessions);
        let mut pause = PAUSE_MIN;
        loop {
            let is_last = Instant::now() >= pursuit.deadline;
            let Owners { ours, elsewhere, nowhere } = self.owners(account.tally.take_strayed());
            account.tally.stray(nowhere);
            if !ours.is_empty() {
                let placed = self.hub.send(&Receivers::Sessions(ours), message, &[]);
                account.merge(self.complete(placed, Circle::Many, pursuit).await?);
            }
            self.send_onward(elsewhere, pursuit, &mut account).await?;
            if is_last || !account.tally.has_strayed() {
                account.tally.give_up_strayed();
                return Ok(account);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// To whom sessions belong by now.
    fn owners(&self, sessions: Vec<SessionId>) -> Owners {
        let (view, mut owners) = (self.view(), Owners::default());
        for session in sessions {
            match view.owner_of_slot(session.slot()) {
                Some(owner) if self.is_me(&owner.id) => owners.ours.push(session),
                Some(owner) => owners.elsewhere.entry(owner.id.clone()).or_default().push(session),
                None => owners.nowhere.push(session),
            }
        }
        owners
    }

    /// Sends a message after sessions, to those to whom they belong. Whoever cannot be reached may have left, and somebody knows of it
    /// by now: those sessions have strayed, the first time.
    async fn send_onward(
        self: &Arc<Self>,
        onward: BTreeMap<MemberId, Vec<SessionId>>,
        pursuit: Pursuit<'_>,
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
            let message = pursuit.wire.clone();
            let request = DeliverLocalRequest { target, message, wait_ms: pursuit.left_ms() };
            let part = ask(self, member, request);
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
