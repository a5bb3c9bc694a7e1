//! A Publish stream at a worker.
//!
//! What this worker owns has its place before the next request for the same target is looked at, also where the receipt has to
//! wait for a session that is to arrive; for a group and for all, that is when the other workers have answered. What another
//! worker owns is forwarded on that worker's own pipelined stream, in order, and answered when the answer comes. In the middle
//! of a change of the ring a message waits for its place: to refuse it would cost more than the wait.

use std::sync::Arc;

use futures_util::FutureExt as _;
use ringway_dispatch::{AtOnce, Earlier, Hops, PublishHandler, SplitPublisher, Taken, Way};
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::v1::{Receipt, SendToUserRequest};
use ringway_rpc::{Entered, PublisherConfig};

use super::for_user::{ForUserPlace, PlacedForUser, place_at_once, place_for_user};
use super::{send_to_all, send_to_group};
use crate::worker::Shared;

/// Carries out or forwards the requests of one stream.
pub(crate) struct Publishing {
    shared: Arc<Shared>,
    forward: SplitPublisher,
}

impl Publishing {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let forward = shared.dispatcher.publisher(Hops::Forwarded, PublisherConfig::default());
        Publishing { shared, forward }
    }

    async fn send_to_user(&self, request: SendToUserRequest, earlier: &Earlier) -> Taken {
        let (view, request) = match place_for_user(&self.shared, request, Some(earlier)).await {
            Ok(ForUserPlace::Here(placed)) => return taken(placed).await,
            Ok(ForUserPlace::ToStore(storing)) => return Taken::Later(Way::Store, storing.receipt().boxed()),
            Ok(ForUserPlace::Elsewhere(view, request)) => (view, request),
            Err(refusal) => return Taken::Now(Err(refusal)),
        };
        match self.forward.forward(Target::ToUser(request), earlier).await {
            Ok(Entered { ticket, stream }) => {
                let ring_version = view.version().as_u64();
                let ours = move |receipt| Receipt { ring_version, ..receipt };
                Taken::Later(Way::Stream(stream), ticket.map(move |answer| answer.map(ours)).boxed())
            }
            Err(refusal) => Taken::Now(Err(refusal)),
        }
    }
}

impl PublishHandler for Publishing {
    fn take_at_once(&self, target: Target, earlier: &Earlier) -> AtOnce {
        let Target::ToUser(mut request) = target else { return AtOnce::Not(target) };
        match place_at_once(&self.shared, &mut request, Some(earlier)) {
            Ok(Some(placed)) => match placed.receipt_at_once() {
                Ok(receipt) => AtOnce::Taken(Taken::Now(receipt)),
                Err(placed) => AtOnce::Taking(taken(placed).boxed()),
            },
            Ok(None) => AtOnce::Not(Target::ToUser(request)),
            Err(refusal) => AtOnce::Taken(Taken::Now(Err(refusal))),
        }
    }

    async fn take(&self, target: Target, earlier: Earlier) -> Taken {
        match target {
            Target::ToUser(request) => self.send_to_user(request, &earlier).await,
            Target::ToGroup(request) => Taken::Now(send_to_group(&self.shared, request).await),
            Target::ToAll(request) => Taken::Now(send_to_all(&self.shared, request).await),
        }
    }
}

/// A message that has its place here. What follows it waits for room, if that is scarce, but for no session that is to arrive.
async fn taken(placed: PlacedForUser) -> Taken {
    match placed.is_done() {
        true => Taken::Now(placed.receipt().await),
        false => Taken::Later(Way::Here, placed.receipt().boxed()),
    }
}
