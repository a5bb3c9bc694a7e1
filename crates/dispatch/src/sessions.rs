//! Looking at sessions and acting on them: one RPC to the worker that holds them, except for lists of all and of
//! groups, which ask every worker.

use std::cmp::Ordering;

use futures_util::StreamExt as _;
use futures_util::stream;
use ringway_cluster::{Member, View};
use ringway_proto::v1::list_sessions_request::Filter;
use ringway_proto::v1::{
    CloseSessionsRequest, CloseSessionsResponse, GetSessionRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListSessionsRequest, ListSessionsResponse, Session,
};
use ringway_proto::{Refusal, Retry, v1};
use tokio::time::Instant;

use crate::dispatcher::{Dispatcher, Place};
use crate::hops::Hops;
use crate::rules::{self, SessionTarget};

/// How many workers are asked at the same time for a list.
const WORKERS_ASKED_MAX: usize = 64;

impl Dispatcher {
    /// Lists sessions by user and id. Of one user: one RPC, to the owner. Otherwise one RPC to every worker, whatever
    /// `hops` says, for each of them to list its own; workers that do not answer in time are named in the answer.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad filter or limit; for one user as
    /// [`send_to_user`](Dispatcher::send_to_user); otherwise only what every worker would refuse.
    pub async fn list_sessions(
        &self,
        mut request: ListSessionsRequest,
        hops: Hops,
        deadline: Instant,
    ) -> Result<ListSessionsResponse, Refusal> {
        request.limit = rules::list_limit(request.limit)?;
        rules::check_filter(request.filter.as_ref())?;
        let Some(Filter::User(user)) = &request.filter else {
            return self.list_everywhere(request, deadline).await;
        };
        let place = self.place(user)?;
        let mut sessions = place.node.sessions();
        place.call(request, hops, deadline, async |request| sessions.list(request).await).await
    }

    /// Shows one session: one RPC, to the worker that its id leads to.
    ///
    /// # Errors
    /// As [`send_to_user`](Dispatcher::send_to_user); `InvalidArgument` for a malformed id.
    pub async fn get_session(
        &self,
        request: GetSessionRequest,
        hops: Hops,
        deadline: Instant,
    ) -> Result<Session, Refusal> {
        let place = self.place_session(rules::session_id(&request.session_id)?)?;
        let mut sessions = place.node.sessions();
        place.call(request, hops, deadline, async |request| sessions.get(request).await).await
    }

    /// Closes one session, or all of a user: one RPC.
    ///
    /// # Errors
    /// As [`send_to_user`](Dispatcher::send_to_user); `InvalidArgument` for a malformed target.
    pub async fn close_sessions(
        &self,
        request: CloseSessionsRequest,
        hops: Hops,
        deadline: Instant,
    ) -> Result<CloseSessionsResponse, Refusal> {
        let place = self.place_target(request.target.as_ref())?;
        let mut sessions = place.node.sessions();
        place.call(request, hops, deadline, async |request| sessions.close(request).await).await
    }

    /// Makes one session, or all present ones of a user, members of a group: one RPC.
    ///
    /// # Errors
    /// As [`send_to_user`](Dispatcher::send_to_user); `InvalidArgument` for a malformed target.
    pub async fn join_group(
        &self,
        request: JoinGroupRequest,
        hops: Hops,
        deadline: Instant,
    ) -> Result<JoinGroupResponse, Refusal> {
        let place = self.place_target(request.target.as_ref())?;
        let mut sessions = place.node.sessions();
        place.call(request, hops, deadline, async |request| sessions.join_group(request).await).await
    }

    /// Ends the membership of one session, or of all present ones of a user: one RPC.
    ///
    /// # Errors
    /// As [`send_to_user`](Dispatcher::send_to_user); `InvalidArgument` for a malformed target.
    pub async fn leave_group(
        &self,
        request: LeaveGroupRequest,
        hops: Hops,
        deadline: Instant,
    ) -> Result<LeaveGroupResponse, Refusal> {
        let place = self.place_target(request.target.as_ref())?;
        let mut sessions = place.node.sessions();
        place.call(request, hops, deadline, async |request| sessions.leave_group(request).await).await
    }

    fn place_target(&self, target: Option<&v1::SessionTarget>) -> Result<Place, Refusal> {
        match rules::target(target)? {
            SessionTarget::Session(session) => self.place_session(session),
            SessionTarget::User(user) => self.place(user.as_str()),
        }
    }

    async fn list_everywhere(
        &self,
        request: ListSessionsRequest,
        deadline: Instant,
    ) -> Result<ListSessionsResponse, Refusal> {
        let view = self.views().current();
        // The rest of the time is for the answer's own way.
        let deadline = deadline - deadline.saturating_duration_since(Instant::now()) / 10;
        let mut answers = stream::iter(view.workers().to_vec())
            .map(|worker| self.list_at(&view, worker, request.clone(), deadline))
            .buffer_unordered(WORKERS_ASKED_MAX);
        let mut merged = ListSessionsResponse::default();
        while let Some((worker, answer)) = answers.next().await {
            match answer {
                Ok(answer) => merge(&mut merged, answer, request.limit as usize),
                Err(refusal) if refusal.reason.retry() == Retry::Never => return Err(refusal),
                Err(refusal) => {
                    tracing::debug!(%worker, %refusal, "a worker could not be asked for its sessions");
                    merged.workers_unreached.push(worker);
                }
            }
        }
        merged.workers_unreached.sort_unstable();
        merged.workers_unreached.dedup();
        Ok(merged)
    }

    async fn list_at(
        &self,
        view: &std::sync::Arc<View>,
        worker: Member,
        request: ListSessionsRequest,
        deadline: Instant,
    ) -> (String, Result<ListSessionsResponse, Refusal>) {
        let name = worker.id.as_str().to_owned();
        let answer = match self.place_at(view, Some(&worker)) {
            Ok(place) => {
                let mut sessions = place.node.sessions();
                let list = async |request| sessions.list(request).await;
                place.call(request, Hops::Forwarded, deadline, list).await
            }
            Err(refusal) => Err(refusal),
        };
        (name, answer)
    }
}

/// Keeps the first `limit` of both, so that memory does not grow with the number of workers.
fn merge(merged: &mut ListSessionsResponse, answer: ListSessionsResponse, limit: usize) {
    merged.total += answer.total;
    merged.workers_unreached.extend(answer.workers_unreached);
    merged.sessions.extend(answer.sessions);
    merged.sessions.sort_by(by_user_and_id);
    merged.sessions.truncate(limit);
}

fn by_user_and_id(a: &Session, b: &Session) -> Ordering {
    a.user.cmp(&b.user).then_with(|| a.id.cmp(&b.id))
}
