//! The sends: to a user's owner, to a group's home, to any worker for all.

use std::sync::Arc;

use ringway_cluster::{Member, View, Views};
use ringway_proto::v1::{Receipt, SendToAllRequest, SendToGroupRequest, SendToUserRequest};
use ringway_proto::{Reason, Refusal};
use ringway_ring::RingVersion;
use ringway_rpc::{NodeChannel, NodePool, PublisherConfig};
use ringway_session::SessionId;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use crate::call;
use crate::hops::{Hops, Routed};
use crate::rules::name_message;
use crate::split::SplitPublisher;

/// Places calls by the present view. A cheap handle.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    views: Views,
    pool: NodePool,
}

/// The node that a call goes to, by one view.
pub(crate) struct Place {
    pub(crate) node: NodeChannel,
    pub(crate) version: RingVersion,
}

impl Dispatcher {
    /// Places calls by these views, over this pool.
    pub fn new(views: Views, pool: NodePool) -> Self {
        Dispatcher { views, pool }
    }

    /// The views by which calls are placed.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// The pool over which calls are made.
    pub fn pool(&self) -> &NodePool {
        &self.pool
    }

    /// Sends to a user: exactly one RPC, to the user's owner.
    ///
    /// # Errors
    /// The owner's refusal; or, with the present ring's version: `NoWorkers`, `Unreachable` (surely not carried out),
    /// `ConnectionLost` or `DeadlineExceeded` (nobody knows).
    pub async fn send_to_user(
        &self,
        request: SendToUserRequest,
        hops: Hops,
        deadline: Instant,
    ) -> Result<Receipt, Refusal> {
        let place = self.place(&request.user)?;
        let mut delivery = place.node.delivery();
        place.call(request, hops, deadline, async |request| delivery.send_to_user(request).await).await
    }

    /// Sends to a group: exactly one RPC, to the group's home (the owner of its name).
    ///
    /// # Errors
    /// As [`send_to_user`](Dispatcher::send_to_user).
    pub async fn send_to_group(
        &self,
        request: SendToGroupRequest,
        hops: Hops,
        deadline: Instant,
    ) -> Result<Receipt, Refusal> {
        let place = self.place(&request.group)?;
        let mut delivery = place.node.delivery();
        place.call(request, hops, deadline, async |request| delivery.send_to_group(request).await).await
    }

    /// Sends to everybody: exactly one RPC, to some worker (the owner of the message id, so that the load spreads).
    ///
    /// # Errors
    /// As [`send_to_user`](Dispatcher::send_to_user).
    pub async fn send_to_all(
        &self,
        mut request: SendToAllRequest,
        hops: Hops,
        deadline: Instant,
    ) -> Result<Receipt, Refusal> {
        let place = self.place(name_message(&mut request.message))?;
        let mut delivery = place.node.delivery();
        place.call(request, hops, deadline, async |request| delivery.send_to_all(request).await).await
    }

    /// A pipelined publisher to all workers: each message goes on the stream of its owner. The bounds are those of each stream.
    pub fn publisher(&self, hops: Hops, config: PublisherConfig) -> SplitPublisher {
        SplitPublisher::new(self.clone(), hops, config)
    }

    /// The owner of a user or a group.
    pub(crate) fn place(&self, key: &str) -> Result<Place, Refusal> {
        let view = self.views.current();
        self.place_at(&view, view.owner(key))
    }

    /// The owner of a session's user.
    pub(crate) fn place_session(&self, session: SessionId) -> Result<Place, Refusal> {
        let view = self.views.current();
        self.place_at(&view, view.owner_of_slot(session.slot()))
    }

    pub(crate) fn place_at(&self, view: &Arc<View>, owner: Option<&Member>) -> Result<Place, Refusal> {
        let owner = owner.ok_or_else(|| no_workers(view.version()))?;
        Ok(Place { node: self.pool.node(&owner.rpc_url), version: view.version() })
    }
}

impl Place {
    /// One RPC to this node: with the routing of this view in the request, for at most until the deadline. A refusal
    /// that was made on this side carries this side's ring version.
    pub(crate) async fn call<Q: Routed, A>(
        &self,
        mut request: Q,
        hops: Hops,
        deadline: Instant,
        call: impl AsyncFnOnce(Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<A, Refusal> {
        *request.routing() = hops.routing(self.version);
        let answering = call(call::request(request, deadline));
        let answer = call::answer(self.node.url(), deadline, answering).await;
        answer.map_err(|refusal| match refusal.ring_version {
            None => refusal.with_ring(self.version),
            Some(_) => refusal,
        })
    }
}

pub(crate) fn no_workers(version: RingVersion) -> Refusal {
    let message = "no worker is active: start one, or wait until one has joined";
    Refusal::new(Reason::NoWorkers, message).with_ring(version)
}
