//! What is still to be done for a message that was put on its way: the waits for sessions that are to arrive, and the
//! sessions that have left and not arrived elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ringway_proto::Refusal;
use ringway_proto::v1::deliver_local_request::Target;
use ringway_proto::v1::{DeliverLocalRequest, Message, SessionIds};
use ringway_ring::MemberId;
use ringway_session::{Fate, Reach, SessionId};
use tokio::time::Instant;
use tracing::debug;

use super::{ask, gather};
use crate::hub::{Placed, Wait};
use crate::worker::Shared;

/// What became of a message at last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Completed {
    pub(crate) reach: Reach,
    /// Whether sessions that it was kept for belong to another worker by now.
    pub(crate) elsewhere: bool,
}

impl Shared {
    /// Waits for what is still to be done, for a bounded time, and slows the caller down while links are crowded.
    ///
    /// # Errors
    /// `INTERNAL` if a part of it failed by a defect.
    pub(crate) async fn complete(
        self: &Arc<Self>,
        placed: Placed,
        message: Option<Message>,
    ) -> Result<Completed, Refusal> {
        let mut completed = Completed { reach: placed.sent.reach, elsewhere: false };
        let deadline = Instant::now() + self.config.arrival_wait_max;
        let onward = placed.sent.onward;
        if !onward.is_empty() {
            completed.reach += self.send_onward(onward, message.clone()).await?;
        }
        let strayed = self.await_arrivals(placed.waits, deadline, &mut completed).await;
        // A user's message is asked for again by its sender, what goes to many is not.
        if message.is_some() && !strayed.is_empty() {
            completed.reach += self.send_onward(self.by_owner(strayed), message).await?;
        }
        self.wait_for_room(&placed.crowded).await;
        Ok(completed)
    }

    /// Waits for sessions that are to arrive. Gives back those that go to another worker by now.
    async fn await_arrivals(
        &self,
        waits: Vec<Wait>,
        deadline: Instant,
        completed: &mut Completed,
    ) -> Vec<SessionId> {
        let mut strayed = Vec::new();
        let mut fates: FuturesUnordered<_> =
            waits.into_iter().map(|wait| self.hub.fate(wait, deadline)).collect();
        while let Some((fate, session)) = fates.next().await {
            match fate {
                Some(Fate::Taken) => completed.reach.sessions += 1,
                Some(Fate::Suspended) => completed.reach.suspended += 1,
                Some(Fate::Overflowed) => completed.reach.overflowed += 1,
                Some(Fate::Elsewhere) => {
                    completed.elsewhere = true;
                    strayed.extend(session);
                }
                // Where it had it already, the worker that gave it has counted it.
                Some(Fate::Had | Fate::Ended) | None => {}
            }
        }
        strayed
    }

    /// Sessions by the workers that own them now. Those that are ours, or nobody's, are left out.
    fn by_owner(&self, sessions: Vec<SessionId>) -> BTreeMap<MemberId, Vec<SessionId>> {
        let view = self.view();
        let mut by_owner: BTreeMap<MemberId, Vec<SessionId>> = BTreeMap::new();
        for session in sessions {
            if let Some(owner) = view.owner_of_slot(session.slot())
                && !self.is_me(&owner.id)
            {
                by_owner.entry(owner.id.clone()).or_default().push(session);
            }
        }
        by_owner
    }

    /// Sends a message after the sessions that have left, each to its new owner.
    async fn send_onward(
        self: &Arc<Self>,
        onward: BTreeMap<MemberId, Vec<SessionId>>,
        message: Option<Message>,
    ) -> Result<Reach, Refusal> {
        let view = self.view();
        let parts = onward.into_iter().filter_map(|(owner, sessions)| {
            let ids = sessions.iter().map(|id| id.to_bytes().to_vec().into()).collect();
            let target = Some(Target::Sessions(SessionIds { ids }));
            let member = view.member(&owner)?;
            Some(ask(self, member, DeliverLocalRequest { target, message: message.clone() }))
        });
        let (reach, unreached) = gather(Reach::default(), parts.collect()).await?;
        if !unreached.is_empty() {
            debug!(?unreached, "sessions on their way could not be followed");
        }
        Ok(reach)
    }
}
