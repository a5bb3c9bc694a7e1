//! Asking every worker for its numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use ringway_cluster::{Member, View};
use ringway_proto::v1::{NodeStatus, StatusRequest};
use ringway_ring::MemberId;
use ringway_rpc::NodePool;
use tokio::time::timeout;

/// How long a worker may take. One that is dead must not hold up the others' numbers.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(700);
/// How many workers are asked at the same time.
const ASKED_MAX: usize = 64;

/// Each worker's numbers; nothing of those that do not answer.
pub(super) type Gathered = BTreeMap<MemberId, Option<NodeStatus>>;

pub(super) async fn gather(view: &View, pool: &NodePool) -> Gathered {
    let asked = |member: Member| async move {
        let mut node = pool.node(&member.rpc_url).node();
        let answered = timeout(ANSWER_TIMEOUT, node.status(StatusRequest {})).await;
        (member.id, answered.ok().and_then(Result::ok).map(tonic::Response::into_inner))
    };
    stream::iter(view.workers().to_vec()).map(asked).buffer_unordered(ASKED_MAX).collect().await
}
