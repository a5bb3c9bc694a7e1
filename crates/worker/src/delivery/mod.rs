//! Sends: to a user, to a group by its home, to all. The answer is the receipt.

mod completion;
mod for_user;
mod publish;
mod service;
mod to_store;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ringway_cluster::{Member, View};
use ringway_dispatch::{CheckedSend, Hops, wait_acknowledged};
use ringway_proto::v1::deliver_local_request::Target;
use ringway_proto::v1::{
    DeliverLocalRequest, DeliverLocalResponse, Everyone, Message as WireMessage, Outcome, Receipt,
    SendToAllRequest, SendToGroupRequest, SendToUserRequest,
};
use ringway_proto::{Reason, Refusal, Retry};
use ringway_ring::{MemberId, RingVersion};
use ringway_session::{Circle, InVain, Reach, SessionId, Tally};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::fence::Place;
use crate::hub::Receivers;
use crate::worker::Shared;

pub(crate) use self::completion::Pursuit;
use self::for_user::{ForUserPlace, place_at_once, place_for_user};
pub(crate) use service::DeliveryService;
pub(crate) use to_store::{no_mailboxes, refusal_of_store};

/// How long a worker that is not in the view any more may take for its part of a message. It may have to send it on after a
/// session that its gateway is about to take away, and the group's next message must not overtake this one.
const DEPARTED_WAIT_MAX: Duration = Duration::from_secs(1);

/// Sends to a user, here or through the owner.
pub(crate) async fn send_to_user(
    shared: &Arc<Shared>,
    mut request: SendToUserRequest,
) -> Result<Receipt, Refusal> {
    if let Some(placed) = place_at_once(shared, &mut request, None)? {
        return match placed.receipt_at_once() {
            Ok(receipt) => receipt,
            Err(placed) => Box::pin(placed.receipt()).await,
        };
    }
    Box::pin(send_to_user_in_time(shared, request)).await
}

async fn send_to_user_in_time(shared: &Arc<Shared>, request: SendToUserRequest) -> Result<Receipt, Refusal> {
    match place_for_user(shared, request, None).await? {
        ForUserPlace::Here(placed) => placed.receipt().await,
        ForUserPlace::ToStore(storing) => storing.receipt().await,
        ForUserPlace::Elsewhere(view, request) => {
            let deadline = shared.peer_deadline() + wait_acknowledged(&request);
            let receipt = shared.dispatcher.send_to_user(request, Hops::Forwarded, deadline);
            Ok(Receipt { ring_version: view.version().as_u64(), ..receipt.await? })
        }
    }
}

/// Sends to a group, as its home or through it.
pub(crate) async fn send_to_group(
    shared: &Arc<Shared>,
    mut request: SendToGroupRequest,
) -> Result<Receipt, Refusal> {
    let view = shared.view();
    match shared.place(&view, &request.group, request.routing.as_ref())? {
        Place::Here => {
            shared.check_lease()?;
            let (group, message) = shared.rules().group_send(&mut request)?;
            let others = shared.interest.audience(&group, &view, &shared.config.id);
            let target = Some(Target::Group(request.group));
            let spread = Spread { receivers: Receivers::Group(group), target, others };
            spread.send(shared, &view, message, request.message).await
        }
        Place::Elsewhere => {
            let receipt = shared.dispatcher.send_to_group(request, Hops::Forwarded, shared.peer_deadline());
            Ok(Receipt { ring_version: view.version().as_u64(), ..receipt.await? })
        }
    }
}

/// Sends to every session of the cluster. Any worker that may act can: it has no owner.
pub(crate) async fn send_to_all(
    shared: &Arc<Shared>,
    mut request: SendToAllRequest,
) -> Result<Receipt, Refusal> {
    let view = shared.view();
    shared.check_lease()?;
    let message = shared.rules().all_send(&mut request)?;
    let ids = view.workers().iter().map(|member| &member.id);
    let others = ids.filter(|id| !shared.is_me(id)).cloned().collect();
    let spread = Spread { receivers: Receivers::All, target: Some(Target::All(Everyone {})), others };
    spread.send(shared, &view, message, request.message).await
}

/// A message that goes to sessions here and at other workers.
struct Spread {
    receivers: Receivers,
    target: Option<Target>,
    others: Vec<MemberId>,
}

impl Spread {
    /// Sends here and asks the others at the same time. A worker that cannot be asked is named in the receipt.
    async fn send(
        self,
        shared: &Arc<Shared>,
        view: &View,
        checked: CheckedSend,
        message: Option<WireMessage>,
    ) -> Result<Receipt, Refusal> {
        let (wire, deadline) = (message, shared.arrival_deadline());
        let pursuit = Pursuit { wire: &wire, deadline };
        let request =
            DeliverLocalRequest { target: self.target, message: wire.clone(), wait_ms: pursuit.left_ms() };
        let others = self.others.iter().filter_map(|id| view.member(id));
        let parts = others.map(|member| ask(shared, member, request.clone())).collect();
        let departed = shared.interest.departed(view, &shared.view());
        let departed: Vec<_> =
            departed.iter().map(|member| (member.id.clone(), ask(shared, member, request.clone()))).collect();
        let (message, exclude) = checked.into_parts();
        let placed = shared.hub.send(&self.receivers, &message, &exclude);
        let mut account = shared.complete(placed, Circle::Many, pursuit).await?;
        account.gather(parts).await?;
        account.gather_departed(shared, departed).await;
        shared.pursue(&message, pursuit, &mut account).await?;
        account.receipt(shared, message.into_id(), view.version())
    }
}

/// What became of a message so far.
pub(crate) struct Account {
    pub(crate) tally: Tally,
    /// The workers that may hold receivers and could not be asked.
    pub(crate) unreached: Vec<String>,
    /// Those that could not be asked for sessions which may belong to others by now.
    doubtful: BTreeSet<MemberId>,
}

impl Account {
    fn new(tally: Tally) -> Self {
        Account { tally, unreached: Vec::new(), doubtful: BTreeSet::new() }
    }

    /// Adds the others' parts.
    async fn gather(&mut self, mut parts: FuturesUnordered<JoinHandle<Part>>) -> Result<(), Refusal> {
        while let Some(part) = parts.next().await {
            match part.map_err(|error| Refusal::new(Reason::Internal, error.to_string()))? {
                (_, Ok(part)) => self.add(part),
                (worker, Err(refusal)) => {
                    debug!(%worker, %refusal, "a worker could not be asked to deliver");
                    self.unreached(&worker);
                }
            }
        }
        Ok(())
    }

    /// The same for workers that are not in the view any more. One that does not answer is dead, as the registry says: it is not
    /// asked again.
    async fn gather_departed(&mut self, shared: &Shared, departed: Vec<(MemberId, JoinHandle<Part>)>) {
        for (worker, part) in departed {
            match timeout(DEPARTED_WAIT_MAX, part).await {
                Ok(Ok((_, Ok(part)))) => self.add(part),
                _ => {
                    shared.interest.forget_departed(&worker);
                    self.unreached(&worker);
                }
            }
        }
    }

    fn add(&mut self, part: DeliverLocalResponse) {
        self.tally.add(Reach {
            sessions: part.sessions,
            overflowed: part.sessions_overflowed,
            suspended: part.sessions_suspended,
            missed: part.sessions_missed,
        });
        self.tally.stray(part.strayed.iter().filter_map(|id| SessionId::from_bytes(id).ok()));
        self.unreached.extend(part.workers_unreached);
    }

    /// A further part of our own.
    fn merge(&mut self, mut part: Account) {
        self.tally.stray(part.tally.take_strayed());
        self.tally.add(part.tally.reach());
        self.unreached.extend(part.unreached);
    }

    /// A worker could not be asked to give the message to these sessions.
    fn not_sent_onward(&mut self, worker: &MemberId, sessions: Vec<SessionId>, refusal: &Refusal) {
        debug!(%worker, %refusal, "a message could not be sent after sessions");
        if refusal.reason.retry() == Retry::Safe && self.doubtful.insert(worker.clone()) {
            self.tally.stray(sessions);
        } else {
            self.unreached(worker);
        }
    }

    fn unreached(&mut self, worker: &MemberId) {
        self.unreached.push(worker.to_string());
    }

    /// The receipt. What surely has reached nobody, and should have, may be sent again.
    fn receipt(self, shared: &Shared, message_id: String, version: RingVersion) -> Result<Receipt, Refusal> {
        let Account { tally, unreached: mut workers_unreached, .. } = self;
        if workers_unreached.is_empty() && tally.answer() == Err(InVain) {
            let message =
                "the sessions are on their way to other workers and have not arrived in time; try again";
            return Err(Refusal::new(Reason::NotOwner, message).with_ring(shared.hub.ring_version()));
        }
        workers_unreached.sort();
        workers_unreached.dedup();
        Ok(Receipt { workers_unreached, ..receipt(tally.reach(), message_id, version) })
    }
}

type Part = (MemberId, Result<DeliverLocalResponse, Refusal>);

/// One RPC to one worker, begun at once.
fn ask(shared: &Arc<Shared>, member: &Member, request: DeliverLocalRequest) -> JoinHandle<Part> {
    let (id, mut peer) = (member.id.clone(), shared.pool.node(&member.rpc_url).peer());
    let deadline = shared.peer_deadline();
    tokio::spawn(async move {
        let answer = match tokio::time::timeout_at(deadline, peer.deliver_local(request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Refusal::from_status(&status)),
            Err(_) => Err(Refusal::new(Reason::DeadlineExceeded, "the worker did not answer in time")),
        };
        (id, answer)
    })
}

fn receipt(reach: Reach, message_id: String, ring_version: RingVersion) -> Receipt {
    let outcome = match reach {
        Reach { sessions: 1.., .. } => Outcome::Delivered,
        Reach { suspended: 1.., .. } => Outcome::Suspended,
        Reach { overflowed: 1.., .. } => Outcome::Overflowed,
        Reach { .. } => Outcome::NoSession,
    };
    Receipt {
        outcome: outcome.into(),
        sessions: reach.sessions,
        sessions_overflowed: reach.overflowed,
        sessions_suspended: reach.suspended,
        sessions_missed: reach.missed,
        message_id,
        ring_version: ring_version.as_u64(),
        ..Receipt::default()
    }
}

impl Shared {
    /// Until when a call may wait for sessions that are to arrive, and for what others hold.
    pub(crate) fn arrival_deadline(&self) -> Instant {
        Instant::now() + self.config.arrival_wait_max
    }

    /// The same for a caller that waits no longer than so many milliseconds itself, if it says so.
    pub(crate) fn arrival_deadline_within(&self, wait_ms: u32) -> Instant {
        let wait = Some(Duration::from_millis(wait_ms.into())).filter(|wait| !wait.is_zero());
        Instant::now()
            + wait.map_or(self.config.arrival_wait_max, |wait| wait.min(self.config.arrival_wait_max))
    }

    /// When another worker must have answered.
    pub(crate) fn peer_deadline(&self) -> Instant {
        Instant::now() + self.config.peer_timeout
    }
}
