//! The subscription at one worker: again and again, until the worker is not a member any more.

use std::time::Duration;

use ringway_cluster::{Backoff, Views};
use ringway_proto::Refusal;
use ringway_proto::v1::subscribe_request::Request;
use ringway_proto::v1::{SubscribeAck, SubscribeRequest, SubscribeResponse, SubscribeStart};
use ringway_ring::MemberId;
use ringway_rpc::{NodePool, NodeUrl};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, info, warn};

use super::Batch;
use crate::config::FeedConfig;

/// The bounds of the pauses between two attempts to subscribe.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How many acknowledgements may be on their way to a worker; beyond it, whoever acknowledges waits.
const ACKS_MAX: usize = 16;

/// Follows one worker.
pub(super) struct WorkerFeed {
    pub(super) worker: MemberId,
    pub(super) views: Views,
    pub(super) pool: NodePool,
    pub(super) config: FeedConfig,
    pub(super) batches: mpsc::Sender<Batch>,
}

/// Nobody takes batches any more.
struct FeedDropped;

impl WorkerFeed {
    pub(super) async fn run(self) {
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
        while let Some(url) = self.url() {
            match self.subscribe(&url, &mut backoff).await {
                Ok(Ok(())) => debug!(worker = %self.worker, "the worker has ended its stream of events"),
                Ok(Err(FeedDropped)) => return,
                Err(refusal) => warn!(worker = %self.worker, %refusal, "no events from this worker for now"),
            }
            tokio::time::sleep(backoff.pause()).await;
        }
        info!(worker = %self.worker, "the worker is no member any more: its events are not followed");
    }

    /// Where the worker is, if it is a member.
    fn url(&self) -> Option<NodeUrl> {
        self.views.current().member(&self.worker).map(|member| member.rpc_url.clone())
    }

    /// One stream, to its end.
    async fn subscribe(
        &self,
        url: &NodeUrl,
        backoff: &mut Backoff,
    ) -> Result<Result<(), FeedDropped>, Refusal> {
        let (says, said) = mpsc::channel(ACKS_MAX);
        // There is room: the channel is new.
        says.try_send(self.start()).ok();
        let answer = self.pool.node(url).events().subscribe(ReceiverStream::new(said)).await;
        let mut hears = answer.map_err(|status| Refusal::from_status(&status))?.into_inner();
        info!(worker = %self.worker, subscription = self.config.name, "events of this worker are followed");
        let (acknowledge, mut acknowledged) = mpsc::channel(ACKS_MAX);
        loop {
            tokio::select! {
                biased;
                // Cancel-safe, both: what is not taken stays.
                upto = acknowledged.recv() => {
                    let Some(upto) = upto else { return Ok(Ok(())) };
                    says.send(ack(upto)).await.ok();
                }
                heard = hears.next() => {
                    let Some(heard) = heard else { return Ok(Ok(())) };
                    let heard = heard.map_err(|status| Refusal::from_status(&status))?;
                    backoff.reset();
                    if self.pass_on(heard, &acknowledge, (&mut acknowledged, &says)).await.is_err() {
                        return Ok(Err(FeedDropped));
                    }
                }
            }
        }
    }

    /// Passes a batch on, and acknowledgements of earlier ones meanwhile.
    async fn pass_on(
        &self,
        heard: SubscribeResponse,
        acknowledge: &mpsc::Sender<u64>,
        (acknowledged, says): (&mut mpsc::Receiver<u64>, &mpsc::Sender<SubscribeRequest>),
    ) -> Result<(), FeedDropped> {
        let upto = heard.events.last().map_or(0, |event| event.sequence);
        let acknowledge = acknowledge.clone();
        let batch =
            Batch { worker: heard.worker, events: heard.events, missed: heard.missed, upto, acknowledge };
        let passing = self.batches.send(batch);
        tokio::pin!(passing);
        loop {
            tokio::select! {
                biased;
                Some(upto) = acknowledged.recv() => { says.send(ack(upto)).await.ok(); }
                passed = &mut passing => return passed.map_err(|_| FeedDropped),
            }
        }
    }

    fn start(&self) -> SubscribeRequest {
        let FeedConfig { name, kinds, window, reliable } = self.config.clone();
        let kinds = kinds.into_iter().map(Into::into).collect();
        SubscribeRequest { request: Some(Request::Start(SubscribeStart { name, kinds, window, reliable })) }
    }
}

fn ack(upto: u64) -> SubscribeRequest {
    SubscribeRequest { request: Some(Request::Ack(SubscribeAck { upto })) }
}
