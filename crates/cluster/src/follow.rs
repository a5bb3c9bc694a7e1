//! Views for those who are not in the registry: senders, and tools that are given some node's address.
//!
//! One `Ring.Watch` stream on one node at a time. When it ends, the next node is asked: those that were given first,
//! then the workers of the last view, so that a follower outlives the nodes it began with. Until a node answers, the
//! last view stays. Pauses between attempts have full jitter, so that followers of a lost node do not come in step.

use std::time::{Duration, Instant};

use ringway_proto::{Reason, Refusal, v1};
use ringway_rpc::{NodePool, NodeUrl};
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tracing::{debug, info, warn};

use crate::convert::SnapshotError;
use crate::view::View;
use crate::views::Views;

/// How long a node may take to show its first snapshot.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest possible pause after the first failure; it doubles with each further one.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest possible pause. A stream that lived longer than this counts as a success.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why no node could be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// No node was given.
    #[error("no node to follow was given; give the rpc URL of at least one")]
    NoNodes,
    /// Every node was asked once, and none showed a ring.
    #[error("no node shows its ring: {}", attempts(.0))]
    NoneAnswers(Vec<(NodeUrl, NodeError)>),
    /// The shutdown came first.
    #[error("it was shut down before a node showed its ring")]
    ShutDown,
}

/// Why one node could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It refused or could not be reached.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What it showed cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Takes views from the first of these nodes that answers, and goes on doing so in the background until `shutdown`.
///
/// # Errors
/// [`FollowError`] if there is no first view: every node is asked once.
pub async fn follow(
    pool: &NodePool,
    nodes: Vec<NodeUrl>,
    shutdown: CancellationToken,
) -> Result<Views, FollowError> {
    let (first, stream) = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Err(FollowError::ShutDown),
        answer = first_answer(pool, &nodes) => answer?,
    };
    let views = Views::new(first);
    let task = FollowTask { pool: pool.clone(), nodes, views: views.clone(), failures: 0, next: 1 };
    tokio::spawn(async move { shutdown.run_until_cancelled(task.run(stream)).await });
    Ok(views)
}

/// Keeps the views fresh. Every await in it may be dropped at any moment: nothing is lost but the stream.
struct FollowTask {
    pool: NodePool,
    nodes: Vec<NodeUrl>,
    views: Views,
    /// Failures since the last stream that lived.
    failures: u32,
    /// Which of the candidates is asked next, counted on and on.
    next: usize,
}

type Snapshots = Streaming<v1::RingSnapshot>;

impl FollowTask {
    async fn run(mut self, mut stream: Snapshots) {
        loop {
            let opened_at = Instant::now();
            let error = self.read(&mut stream).await;
            info!(%error, "the followed node is lost: asking another one");
            self.failures = if opened_at.elapsed() > PAUSE_MAX { 0 } else { self.failures + 1 };
            stream = self.reopen().await;
        }
    }

    /// Shows every snapshot of a stream until it ends.
    async fn read(&self, stream: &mut Snapshots) -> NodeError {
        loop {
            match next_snapshot(stream).await {
                Ok(snapshot) => match self.views.current().with_snapshot(snapshot) {
                    Ok(view) => self.views.show(view),
                    Err(error) => return error.into(),
                },
                Err(error) => return error.into(),
            }
        }
    }

    /// Asks one node after the other until one shows a usable ring.
    async fn reopen(&mut self) -> Snapshots {
        loop {
            tokio::time::sleep(pause(self.failures)).await;
            let node = self.next_node();
            match self.open(&node).await {
                Ok(stream) => {
                    info!(%node, "following a node's ring");
                    return stream;
                }
                Err(error) => debug!(%node, %error, "a node does not show its ring"),
            }
            self.failures += 1;
        }
    }

    async fn open(&self, node: &NodeUrl) -> Result<Snapshots, NodeError> {
        let (snapshot, stream) = open(&self.pool, node).await?;
        self.views.show(self.views.current().with_snapshot(snapshot)?);
        Ok(stream)
    }

    /// The candidates in turn: the nodes that were given, then the workers of the last view.
    fn next_node(&mut self) -> NodeUrl {
        let view = self.views.current();
        let mut candidates: Vec<_> = self.nodes.iter().collect();
        let workers = view.workers().iter().map(|worker| &worker.rpc_url);
        candidates.extend(workers.filter(|url| !self.nodes.contains(url)));
        let node = candidates[self.next % candidates.len()].clone();
        self.next += 1;
        node
    }
}

async fn first_answer(pool: &NodePool, nodes: &[NodeUrl]) -> Result<(View, Snapshots), FollowError> {
    if nodes.is_empty() {
        return Err(FollowError::NoNodes);
    }
    let mut failures = Vec::new();
    for node in nodes {
        match first_view(pool, node).await {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                warn!(%node, %error, "a node does not show its ring");
                failures.push((node.clone(), error));
            }
        }
    }
    Err(FollowError::NoneAnswers(failures))
}

async fn first_view(pool: &NodePool, node: &NodeUrl) -> Result<(View, Snapshots), NodeError> {
    let (snapshot, stream) = open(pool, node).await?;
    Ok((View::from_snapshot(snapshot)?, stream))
}

/// Opens a node's stream and waits for the first snapshot.
async fn open(pool: &NodePool, node: &NodeUrl) -> Result<(v1::RingSnapshot, Snapshots), Refusal> {
    let late = |_| {
        Refusal::new(Reason::DeadlineExceeded, format!("{node} did not answer within {ANSWER_TIMEOUT:?}"))
    };
    let answer = async {
        let request = v1::WatchRingRequest { with_table: false };
        let response = pool.node(node).ring().watch(request).await;
        let mut stream = response.map_err(|status| Refusal::from_status(&status))?.into_inner();
        Ok((next_snapshot(&mut stream).await?, stream))
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answer).await.map_err(late)?
}

/// The next snapshot of a stream that is not meant to end.
async fn next_snapshot(stream: &mut Snapshots) -> Result<v1::RingSnapshot, Refusal> {
    let snapshot = stream.message().await.map_err(|status| Refusal::from_status(&status))?;
    snapshot.ok_or_else(|| Refusal::new(Reason::ConnectionLost, "the node ended the stream"))
}

/// A random pause, the longer the more often it failed.
fn pause(failures: u32) -> Duration {
    let longest = PAUSE_MIN.saturating_mul(2u32.saturating_pow(failures)).min(PAUSE_MAX);
    longest.mul_f64(rand::random::<f64>())
}

fn attempts(failures: &[(NodeUrl, NodeError)]) -> String {
    let attempts: Vec<_> = failures.iter().map(|(node, error)| format!("{node} ({error})")).collect();
    attempts.join(", ")
}
