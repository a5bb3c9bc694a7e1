//! The gRPC service `ringway.v1.Sessions` of a worker. Each call on a session or a user passes the fence; a list is
//! gathered from all workers unless it was forwarded here.

use std::sync::Arc;

use ringway_dispatch::{CheckedGroupChange, Hops};
use ringway_proto::v1::list_sessions_request::Filter as ProtoFilter;
use ringway_proto::v1::sessions_server::Sessions;
use ringway_proto::v1::{
    CloseSessionsRequest, CloseSessionsResponse, GetSessionRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListSessionsRequest, ListSessionsResponse, Routing, Session,
};
use ringway_proto::{Reason, Refusal};
use ringway_session::{Filter, GroupId, SessionId, Target, UserId};
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status};

use crate::convert::{invalid_name, session_to_proto};
use crate::fence::Place;
use crate::worker::Shared;

pub(crate) struct SessionsService(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl Sessions for SessionsService {
    async fn list(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(match self.place_list(&request)? {
            Place::Here => self.list_here(&request)?,
            Place::Elsewhere => {
                self.0.dispatcher.list_sessions(request, Hops::Forwarded, self.0.peer_deadline()).await?
            }
        }))
    }

    async fn get(&self, request: Request<GetSessionRequest>) -> Result<Response<Session>, Status> {
        let request = request.into_inner();
        let id = self.0.rules().session_id(&request.session_id)?;
        let view = self.0.view();
        Ok(Response::new(match self.0.place_slot(&view, id.slot(), request.routing.as_ref())? {
            Place::Here => {
                self.0.gather(&Target::Session(id)).await?;
                let shown = self.0.hub.session(id).ok_or_else(|| not_found(id))?;
                session_to_proto(shown, self.0.config.id.as_str())
            }
            Place::Elsewhere => {
                self.0.dispatcher.get_session(request, Hops::Forwarded, self.0.peer_deadline()).await?
            }
        }))
    }

    async fn close(
        &self,
        request: Request<CloseSessionsRequest>,
    ) -> Result<Response<CloseSessionsResponse>, Status> {
        let request = request.into_inner();
        let close = self.0.rules().close(&request)?;
        Ok(Response::new(match self.place_target(&close.target, request.routing.as_ref())? {
            Place::Here => {
                self.0.gather(&close.target).await?;
                let closed = self.0.hub.close(&close.target, close.code, &close.reason);
                let sessions = found(&close.target, closed)?;
                CloseSessionsResponse { sessions }
            }
            Place::Elsewhere => {
                self.0.dispatcher.close_sessions(request, Hops::Forwarded, self.0.peer_deadline()).await?
            }
        }))
    }

    async fn join_group(
        &self,
        request: Request<JoinGroupRequest>,
    ) -> Result<Response<JoinGroupResponse>, Status> {
        let request = request.into_inner();
        let CheckedGroupChange { target, group } = self.0.rules().join_group(&request)?;
        Ok(Response::new(match self.place_target(&target, request.routing.as_ref())? {
            Place::Here => {
                self.0.gather(&target).await?;
                let joined = self.0.hub.join_group(&target, &group);
                let joined =
                    joined.map_err(|error| Refusal::new(Reason::InvalidArgument, error.to_string()))?;
                let sessions = found(&target, joined)?;
                if sessions > 0 {
                    self.0.settle(&[group]).await;
                }
                JoinGroupResponse { sessions }
            }
            Place::Elsewhere => {
                self.0.dispatcher.join_group(request, Hops::Forwarded, self.0.peer_deadline()).await?
            }
        }))
    }

    async fn leave_group(
        &self,
        request: Request<LeaveGroupRequest>,
    ) -> Result<Response<LeaveGroupResponse>, Status> {
        let request = request.into_inner();
        let CheckedGroupChange { target, group } = self.0.rules().leave_group(&request)?;
        Ok(Response::new(match self.place_target(&target, request.routing.as_ref())? {
            Place::Here => {
                self.0.gather(&target).await?;
                if let Target::Session(id) = target {
                    self.0.hub.session(id).ok_or_else(|| not_found(id))?;
                }
                LeaveGroupResponse { sessions: self.0.hub.leave_group(&target, &group) as u32 }
            }
            Place::Elsewhere => {
                self.0.dispatcher.leave_group(request, Hops::Forwarded, self.0.peer_deadline()).await?
            }
        }))
    }
}

impl Shared {
    /// Waits until the sessions that a call is about have arrived, where some are on their way here, for a bounded time.
    ///
    /// # Errors
    /// `NOT_OWNER` if they have not arrived by then, or if this worker may act for nobody.
    async fn gather(&self, target: &Target) -> Result<(), Refusal> {
        let deadline = Instant::now() + self.config.arrival_wait_max;
        let mut changes = self.hub.changes();
        loop {
            self.check_lease()?;
            if self.hub.has_arrived(target) {
                return Ok(());
            }
            if timeout_at(deadline, changes.changed()).await.is_err() {
                let message =
                    "sessions of the user are on their way here and have not arrived in time; try again";
                return Err(Refusal::new(Reason::NotOwner, message).with_ring(self.hub.ring_version()));
            }
        }
    }
}

impl SessionsService {
    /// A user's sessions are listed by the owner; other lists by each worker for itself, once they were forwarded.
    fn place_list(&self, request: &ListSessionsRequest) -> Result<Place, Refusal> {
        match (&request.filter, &request.routing) {
            (Some(ProtoFilter::User(user)), routing) => self.0.place(&self.0.view(), user, routing.as_ref()),
            (_, Some(Routing { hops: 1.., .. })) => Ok(Place::Here),
            _ => Ok(Place::Elsewhere),
        }
    }

    fn list_here(&self, request: &ListSessionsRequest) -> Result<ListSessionsResponse, Refusal> {
        let filter = match &request.filter {
            None => Filter::All,
            Some(ProtoFilter::User(user)) => {
                Filter::User(UserId::new(user).map_err(|error| invalid_name(&error))?)
            }
            Some(ProtoFilter::Group(group)) => {
                Filter::Group(GroupId::new(group).map_err(|error| invalid_name(&error))?)
            }
        };
        let limit = self.0.rules().list_limit(request.limit)?;
        let (sessions, total) = self.0.hub.list(&filter, limit as usize);
        let worker = self.0.config.id.as_str();
        Ok(ListSessionsResponse {
            sessions: sessions.into_iter().map(|shown| session_to_proto(shown, worker)).collect(),
            total: total as u64,
            workers_unreached: Vec::new(),
        })
    }

    fn place_target(&self, target: &Target, routing: Option<&Routing>) -> Result<Place, Refusal> {
        let view = self.0.view();
        match target {
            Target::Session(id) => self.0.place_slot(&view, id.slot(), routing),
            Target::User(user) => self.0.place(&view, user.as_str(), routing),
        }
    }
}

/// A session that is named must exist; a user may have none.
fn found(target: &Target, sessions: usize) -> Result<u32, Refusal> {
    match target {
        Target::Session(id) if sessions == 0 => Err(not_found(*id)),
        _ => Ok(sessions as u32),
    }
}

fn not_found(id: SessionId) -> Refusal {
    Refusal::new(Reason::SessionNotFound, format!("no worker holds the session {id}; it may have ended"))
}
