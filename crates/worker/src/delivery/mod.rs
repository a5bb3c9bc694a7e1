//! Sends: to a user, to a group by its home, to all. The answer is the receipt.

mod publish;
mod service;

use std::sync::Arc;

use ringway_cluster::View;
use ringway_dispatch::{CheckedSend, Hops};
use ringway_proto::v1::deliver_local_request::Target;
use ringway_proto::v1::{
    DeliverLocalRequest, DeliverLocalResponse, Everyone, Message, Outcome, Receipt, SendToAllRequest,
    SendToGroupRequest, SendToUserRequest,
};
use ringway_proto::{Reason, Refusal};
use ringway_ring::{MemberId, RingVersion};
use ringway_session::Reach;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use crate::fence::Place;
use crate::hub::Receivers;
use crate::worker::Shared;

pub(crate) use service::DeliveryService;

/// Sends to a user, here or through the owner.
pub(crate) async fn send_to_user(
    shared: &Arc<Shared>,
    request: SendToUserRequest,
) -> Result<Receipt, Refusal> {
    let view = shared.view();
    match shared.place(&view, &request.user, request.routing.as_ref())? {
        Place::Here => send_to_user_here(shared, &view, request).await,
        Place::Elsewhere => {
            let receipt = shared.dispatcher.send_to_user(request, Hops::Forwarded, shared.peer_deadline());
            Ok(Receipt { ring_version: view.version().as_u64(), ..receipt.await? })
        }
    }
}

pub(crate) async fn send_to_user_here(
    shared: &Arc<Shared>,
    view: &View,
    mut request: SendToUserRequest,
) -> Result<Receipt, Refusal> {
    let (user, message) = shared.rules().user_send(&mut request)?;
    let sent = shared.hub.send(&Receivers::User(user), &message.payload, &message.exclude);
    shared.wait_for_room(&sent.crowded).await;
    Ok(receipt(sent.reach, message.message_id, view.version()))
}

/// Sends to a group, as its home or through it.
pub(crate) async fn send_to_group(
    shared: &Arc<Shared>,
    mut request: SendToGroupRequest,
) -> Result<Receipt, Refusal> {
    let view = shared.view();
    match shared.place(&view, &request.group, request.routing.as_ref())? {
        Place::Here => {
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

/// Sends to every session of the cluster. Any worker can: it has no owner.
pub(crate) async fn send_to_all(
    shared: &Arc<Shared>,
    mut request: SendToAllRequest,
) -> Result<Receipt, Refusal> {
    let view = shared.view();
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
        message: Option<Message>,
    ) -> Result<Receipt, Refusal> {
        let request = DeliverLocalRequest { target: self.target, message };
        let parts = ask_others(shared, view, &self.others, &request);
        let sent = shared.hub.send(&self.receivers, &checked.payload, &checked.exclude);
        let (reach, workers_unreached) = gather(sent.reach, parts).await?;
        shared.wait_for_room(&sent.crowded).await;
        Ok(Receipt { workers_unreached, ..receipt(reach, checked.message_id, view.version()) })
    }
}

/// Adds the others' parts to our own. Gives back the sum, and who could not be asked.
async fn gather(mut reach: Reach, mut parts: JoinSet<Part>) -> Result<(Reach, Vec<String>), Refusal> {
    let mut unreached = Vec::new();
    while let Some(part) = parts.join_next().await {
        match part.map_err(|error| Refusal::new(Reason::Internal, error.to_string()))? {
            (_, Ok(part)) => {
                reach.sessions += part.sessions;
                reach.overflowed += part.sessions_overflowed;
            }
            (worker, Err(refusal)) => {
                debug!(%worker, %refusal, "a worker could not be asked to deliver");
                unreached.push(worker.to_string());
            }
        }
    }
    unreached.sort();
    Ok((reach, unreached))
}

type Part = (MemberId, Result<DeliverLocalResponse, Refusal>);

/// One RPC to each of the workers, all at the same time.
fn ask_others(
    shared: &Arc<Shared>,
    view: &View,
    others: &[MemberId],
    request: &DeliverLocalRequest,
) -> JoinSet<Part> {
    let mut parts = JoinSet::new();
    for member in others.iter().filter_map(|id| view.member(id)) {
        let (id, mut peer) = (member.id.clone(), shared.pool.node(&member.rpc_url).peer());
        let (request, deadline) = (request.clone(), shared.peer_deadline());
        parts.spawn(async move {
            let answer = tokio::time::timeout_at(deadline, peer.deliver_local(request)).await;
            let answer = match answer {
                Ok(Ok(response)) => Ok(response.into_inner()),
                Ok(Err(status)) => Err(Refusal::from_status(&status)),
                Err(_) => Err(Refusal::new(Reason::DeadlineExceeded, "the worker did not answer in time")),
            };
            (id, answer)
        });
    }
    parts
}

fn receipt(reach: Reach, message_id: String, ring_version: RingVersion) -> Receipt {
    let outcome = match reach {
        Reach { sessions: 1.., .. } => Outcome::Delivered,
        Reach { overflowed: 1.., .. } => Outcome::Overflowed,
        Reach { .. } => Outcome::NoSession,
    };
    Receipt {
        outcome: outcome.into(),
        sessions: reach.sessions,
        sessions_overflowed: reach.overflowed,
        sessions_suspended: 0,
        message_id,
        ring_version: ring_version.as_u64(),
        workers_unreached: Vec::new(),
    }
}

impl Shared {
    /// When another worker must have answered.
    pub(crate) fn peer_deadline(&self) -> Instant {
        Instant::now() + self.config.peer_timeout
    }
}
