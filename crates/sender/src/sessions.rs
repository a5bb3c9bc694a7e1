//! Looking at sessions and acting on them, with the same deadline and retries as a send.

use ringway_dispatch::{Allowance, Hops, SessionTarget};
use ringway_proto::v1::list_sessions_request::Filter;
use ringway_proto::v1::session_target::Target;
use ringway_proto::{Refusal, v1};
use ringway_session::{CloseCode, GroupId, SessionId, UserId};
use tokio::time::Instant;

use crate::error::SendError;
use crate::retry::retrying;
use crate::sender::Sender;

/// Which sessions to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SessionFilter {
    /// All.
    #[default]
    All,
    /// Those of one user: one RPC.
    User(UserId),
    /// The members of one group.
    Group(GroupId),
}

/// The sessions found.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionList {
    /// By user and id, the first ones.
    pub sessions: Vec<v1::Session>,
    /// How many there are in all.
    pub total: u64,
    /// The workers that could not be asked. Empty: the list is complete.
    pub workers_unreached: Vec<String>,
}

impl Sender {
    /// Lists sessions by user and id: the first `limit` (1 to 10,000; 0 for 1,000).
    ///
    /// # Errors
    /// The last attempt's refusal.
    pub async fn list_sessions(&self, filter: &SessionFilter, limit: u32) -> Result<SessionList, SendError> {
        let filter = match filter {
            SessionFilter::All => None,
            SessionFilter::User(user) => Some(Filter::User(user.to_string())),
            SessionFilter::Group(group) => Some(Filter::Group(group.to_string())),
        };
        let request = v1::ListSessionsRequest { filter, limit, routing: None };
        let dispatcher = &self.shared.dispatcher;
        let answer = self
            .call(|deadline| dispatcher.list_sessions(request.clone(), Hops::FromClient, deadline))
            .await?;
        let v1::ListSessionsResponse { sessions, total, workers_unreached } = answer;
        Ok(SessionList { sessions, total, workers_unreached })
    }

    /// Shows one session.
    ///
    /// # Errors
    /// The last attempt's refusal; `SessionNotFound` when there is none of that id.
    pub async fn session(&self, id: SessionId) -> Result<v1::Session, SendError> {
        let request = v1::GetSessionRequest { session_id: id.to_string(), routing: None };
        let dispatcher = &self.shared.dispatcher;
        self.call(|deadline| dispatcher.get_session(request.clone(), Hops::FromClient, deadline)).await
    }

    /// Closes one session, or all of a user; says how many. The reason has at most 123 bytes.
    ///
    /// # Errors
    /// The last attempt's refusal.
    pub async fn close_sessions(
        &self,
        target: &SessionTarget,
        code: CloseCode,
        reason: &str,
    ) -> Result<u32, SendError> {
        let request = v1::CloseSessionsRequest {
            target: Some(target_of(target)),
            code: code.as_u16().into(),
            reason: reason.to_owned(),
            routing: None,
        };
        let dispatcher = &self.shared.dispatcher;
        let answer = self
            .call(|deadline| dispatcher.close_sessions(request.clone(), Hops::FromClient, deadline))
            .await?;
        Ok(answer.sessions)
    }

    /// Makes one session, or all present ones of a user, members of a group; says how many are members now.
    ///
    /// # Errors
    /// The last attempt's refusal.
    pub async fn join_group(&self, target: &SessionTarget, group: &GroupId) -> Result<u32, SendError> {
        let request =
            v1::JoinGroupRequest { target: Some(target_of(target)), group: group.to_string(), routing: None };
        let dispatcher = &self.shared.dispatcher;
        let answer =
            self.call(|deadline| dispatcher.join_group(request.clone(), Hops::FromClient, deadline)).await?;
        Ok(answer.sessions)
    }

    /// Ends the membership of one session, or of all present ones of a user; says how many were members until now.
    ///
    /// # Errors
    /// The last attempt's refusal.
    pub async fn leave_group(&self, target: &SessionTarget, group: &GroupId) -> Result<u32, SendError> {
        let request = v1::LeaveGroupRequest {
            target: Some(target_of(target)),
            group: group.to_string(),
            routing: None,
        };
        let dispatcher = &self.shared.dispatcher;
        let answer =
            self.call(|deadline| dispatcher.leave_group(request.clone(), Hops::FromClient, deadline)).await?;
        Ok(answer.sessions)
    }

    /// Makes a call with the sender's deadline, again if it surely was not carried out.
    pub(crate) async fn call<T, F>(&self, mut attempt: impl FnMut(Instant) -> F) -> Result<T, SendError>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let deadline = Instant::now() + self.shared.config.deadline;
        let allowance = Allowance { deadline, retry_ambiguous: false };
        retrying(self.views(), &self.shared.config.retry, allowance, || attempt(deadline))
            .await
            .map_err(|(refusal, attempts)| SendError::after(attempts, refusal, ""))
    }
}

fn target_of(target: &SessionTarget) -> v1::SessionTarget {
    let target = match target {
        SessionTarget::Session(session) => Target::SessionId(session.to_string()),
        SessionTarget::User(user) => Target::User(user.to_string()),
    };
    v1::SessionTarget { target: Some(target) }
}
