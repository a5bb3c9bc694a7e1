//! Who is online: asked of the owners once, or followed.

mod follower;
mod owner;
mod serve;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use ringway_cluster::{Member, View};
use ringway_proto::v1::{GetPresenceRequest, GetPresenceResponse};
use ringway_proto::{Refusal, Retry};
use tokio::time::Instant;

use crate::dispatcher::{Dispatcher, no_workers};
use crate::hops::Hops;
use crate::rules;

pub use follower::{PRESENCE_GRACE_DEFAULT, PresenceFollower, PresenceNews};
pub use serve::serve_presence_watch;

/// How many workers are asked at the same time.
const WORKERS_ASKED_MAX: usize = 64;

impl Dispatcher {
    /// Says of each user whether it is online: one RPC to each owner. Users of owners that do not answer in time are named in the
    /// answer.
    ///
    /// # Errors
    /// `InvalidArgument` for bad names or too many; `NoWorkers`; otherwise only what every worker would refuse.
    pub async fn get_presence(
        &self,
        request: &GetPresenceRequest,
        hops: Hops,
        deadline: Instant,
    ) -> Result<GetPresenceResponse, Refusal> {
        let view = self.views().current();
        let mut by_owner: BTreeMap<&str, (&Member, Vec<String>)> = BTreeMap::new();
        for user in rules::presence_users(&request.users)? {
            let owner = view.owner(user.as_str()).ok_or_else(|| no_workers(view.version()))?;
            by_owner.entry(owner.id.as_str()).or_insert_with(|| (owner, Vec::new())).1.push(user.to_string());
        }
        let parts: Vec<(Member, Vec<String>)> =
            by_owner.into_values().map(|(owner, users)| (owner.clone(), users)).collect();
        // The rest of the time is for the answer's own way.
        let deadline = deadline - deadline.saturating_duration_since(Instant::now()) / 10;
        let mut answers = stream::iter(parts)
            .map(|(owner, users)| self.presence_at(&view, owner, users, hops, deadline))
            .buffer_unordered(WORKERS_ASKED_MAX);
        let mut merged = GetPresenceResponse::default();
        while let Some(answer) = answers.next().await {
            merge_presence(&mut merged, answer?);
        }
        Ok(merged)
    }

    #[allow(clippy::too_many_arguments, reason = "one call, and the view by which it is made")]
    async fn presence_at(
        &self,
        view: &std::sync::Arc<View>,
        owner: Member,
        users: Vec<String>,
        hops: Hops,
        deadline: Instant,
    ) -> Result<GetPresenceResponse, Refusal> {
        let place = self.place_at(view, Some(&owner))?;
        let mut presence = place.node.presence();
        let request = GetPresenceRequest { users: users.clone(), routing: None };
        let answer = place.call(request, hops, deadline, async |request| presence.get(request).await).await;
        match answer {
            Err(refusal) if refusal.reason.retry() != Retry::Never => {
                tracing::debug!(worker = %owner.id, %refusal, "a worker could not be asked who is online");
                let workers_unreached = vec![owner.id.to_string()];
                Ok(GetPresenceResponse { users: Vec::new(), undecided: users, workers_unreached })
            }
            answer => answer,
        }
    }
}

/// Both answers together, by name.
pub(crate) fn merge_presence(merged: &mut GetPresenceResponse, answer: GetPresenceResponse) {
    merged.users.extend(answer.users);
    merged.users.sort_by(|a, b| a.user.cmp(&b.user));
    merged.undecided.extend(answer.undecided);
    merged.undecided.sort_unstable();
    merged.workers_unreached.extend(answer.workers_unreached);
    merged.workers_unreached.sort_unstable();
    merged.workers_unreached.dedup();
}
