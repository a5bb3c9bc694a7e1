//! The gRPC service `ringway.v1.Node`: what operators do with this worker.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt as _};
use ringway_cluster::{MemberState, RegistryError};
use ringway_proto::v1::node_server::Node;
use ringway_proto::v1::{
    DrainProgress, DrainRequest, NodeStatus, SetWeightRequest, SetWeightResponse, StatusRequest,
    UndrainRequest, UndrainResponse,
};
use ringway_proto::{Reason, Refusal};
use ringway_ring::Weight;
use ringway_worker::Worker;
use tonic::{Request, Response, Status};
use tracing::info;

use super::membership::{List, Membership};

/// How often one who drains a worker is told how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct NodeService {
    pub(super) worker: Worker,
    pub(super) membership: Arc<Membership>,
}

/// Refuses at once what would have no effect on lists of these kinds.
fn check(list: List, refused: &[List], what: &str) -> Result<(), Refusal> {
    if !refused.contains(&list) {
        return Ok(());
    }
    let message = format!(
        "on this cluster's list of members no worker can {what}: the list is not the workers' to change \
         (cluster.registry); change it where it is written, or use a registry that workers write (docs/registries.md)"
    );
    Err(Refusal::new(Reason::MembersFixed, message))
}

type Progress = Pin<Box<dyn Stream<Item = Result<DrainProgress, Status>> + Send>>;

#[tonic::async_trait]
impl Node for NodeService {
    type DrainStream = Progress;

    async fn drain(&self, _: Request<DrainRequest>) -> Result<Response<Progress>, Status> {
        check(self.membership.list(), &[List::Fixed], "drain")?;
        self.membership.show(MemberState::Draining).await.map_err(|error| refusal(&error))?;
        info!(worker = %self.worker.id(), "the worker drains");
        let worker = self.worker.clone();
        let drained = tokio::spawn(async move { worker.drained().await });
        let worker = self.worker.clone();
        let progress = unfold(Some(drained), move |drained| next_progress(worker.clone(), drained));
        Ok(Response::new(progress.map(Ok).boxed()))
    }

    async fn undrain(&self, _: Request<UndrainRequest>) -> Result<Response<UndrainResponse>, Status> {
        check(self.membership.list(), &[List::Fixed], "drain, or end that")?;
        self.membership.show(MemberState::Active).await.map_err(|error| refusal(&error))?;
        info!(worker = %self.worker.id(), "the worker is active again");
        Ok(Response::new(UndrainResponse {}))
    }

    async fn set_weight(
        &self,
        request: Request<SetWeightRequest>,
    ) -> Result<Response<SetWeightResponse>, Status> {
        let weight = request.into_inner().weight;
        let weight =
            Weight::new(weight).map_err(|error| Refusal::new(Reason::InvalidArgument, error.to_string()))?;
        check(self.membership.list(), &[List::Fixed, List::OfOthers], "change its weight")?;
        self.membership.set_weight(weight).await.map_err(|error| refusal(&error))?;
        info!(worker = %self.worker.id(), %weight, "the worker has another weight");
        Ok(Response::new(SetWeightResponse {}))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<NodeStatus>, Status> {
        Ok(Response::new(self.worker.status()))
    }
}

type Drained = tokio::task::JoinHandle<usize>;

/// How far a drain is, after a moment or at its end; then nothing more.
async fn next_progress(worker: Worker, drained: Option<Drained>) -> Option<(DrainProgress, Option<Drained>)> {
    let mut drained = drained?;
    match tokio::time::timeout(PROGRESS_INTERVAL, &mut drained).await {
        Err(_) => Some((DrainProgress { sessions: worker.sessions() as u64, done: false }, Some(drained))),
        Ok(left) => {
            let sessions = left.unwrap_or_else(|_| worker.sessions()) as u64;
            Some((DrainProgress { sessions, done: sessions == 0 }, None))
        }
    }
}

fn refusal(error: &RegistryError) -> Refusal {
    Refusal::new(Reason::Unreachable, format!("the registry does not take the change: {error}"))
}
