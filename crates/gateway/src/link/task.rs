//! The task that keeps one link: makes it, carries frames both ways, and makes it again when it breaks.
//!
//! `Away -> Greeting -> Up -> Away`, until it is retired (its worker left the view: a link that is up stays while there
//! are sessions on it, which are made to move; a broken one is not made again) or stopped (the gateway shuts down: what is queued is sent, then
//! the link is closed).

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use rand::RngExt;
use ringway_cluster::Member;
use ringway_proto::v1::gateway_frame::Frame;
use ringway_proto::v1::worker_frame::Frame as Told;
use ringway_proto::v1::{GatewayFrame, GatewayFrames, Hello, Welcome, WorkerFrames};
use ringway_proto::{LINK_PROTOCOL, Refusal};
use ringway_ring::RingVersion;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info, info_span, warn};

use super::connector::{LinkConnector, WorkerStream};
use super::links::Place;
use super::owed::Owed;
use super::queue::{self, Filled, REPORT_INTERVAL};
use super::table::Link;
use crate::config::LinkConfig;
use crate::metrics::Meters;
use crate::moving::{self, Moves};

/// How many batches of a worker are taken before anything is written to those for whom they are.
const BURST_MAX: usize = 16;
/// Batches on the way between the queue and the transport.
const BATCHES_MAX: usize = 2;

/// Keeps one link to one worker.
pub(crate) struct LinkTask {
    pub(crate) member: Member,
    pub(crate) place: Arc<Place>,
    pub(crate) connector: Arc<dyn LinkConnector>,
    pub(crate) gateway_id: String,
    pub(crate) config: LinkConfig,
    /// How long the end may take once the gateway shuts down.
    pub(crate) flush_timeout: Duration,
    pub(crate) meters: Arc<Meters>,
    pub(crate) moves: Arc<Moves>,
    /// The worker has left: a broken link is not made again.
    pub(crate) retired: CancellationToken,
    /// The gateway shuts down.
    pub(crate) stop: CancellationToken,
}

/// Why a link is no more, or was never made.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("the worker does not answer")]
    Silent,
    #[error("the worker's first frame is not Welcome")]
    NoWelcome,
    #[error("another worker answers at its address: {0:?}")]
    OtherWorker(String),
    #[error("the worker has ended the link")]
    Ended,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl LinkTask {
    pub(crate) async fn run(self) {
        let span = info_span!("link", worker = %self.member.id);
        self.meters.link(&self.member.id, "down", 1.0);
        let too_late = async {
            self.stop.cancelled().await;
            tokio::time::sleep(self.flush_timeout).await;
        };
        tokio::select! {
            biased;
            () = self.keep().instrument(span) => {}
            () = too_late => {}
        }
        self.meters.link(&self.member.id, "down", -1.0);
    }

    async fn keep(&self) {
        let mut backoff = Backoff::new(&self.config);
        let mut failed_before = false;
        while !self.retired.is_cancelled() && !self.stop.is_cancelled() {
            match self.once(&mut backoff).await {
                Ok(()) => return,
                Err(error) if failed_before => debug!(%error, "the link is down"),
                Err(error) => warn!(%error, "the link is down"),
            }
            failed_before = backoff.failures > 0;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.retired.cancelled() => return,
                () = tokio::time::sleep(backoff.next()) => {}
            }
        }
    }

    /// Away -> Greeting -> Up: until the link breaks (an error) or was closed because the gateway stops.
    async fn once(&self, backoff: &mut Backoff) -> Result<(), LinkError> {
        let (says, outgoing) = mpsc::channel(BATCHES_MAX);
        let greeting = self.greet(&says, outgoing);
        let (mut incoming, welcome) = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(()),
            greeted = tokio::time::timeout(self.config.connect_timeout, greeting) => {
                greeted.map_err(|_| LinkError::Silent)??
            }
        };
        backoff.failures = 0;
        let link = Link::new(self.member.id.clone(), self.config.queue_bytes_max, Arc::clone(&self.moves));
        link.queue().heed_window(welcome.window_bytes);
        let up = Up::begin(self, Arc::clone(&link));
        let outcome = self.carry(&link, says, &mut incoming).await;
        drop(up);
        outcome
    }

    async fn greet(
        &self,
        says: &mpsc::Sender<GatewayFrames>,
        outgoing: mpsc::Receiver<GatewayFrames>,
    ) -> Result<(WorkerStream, Welcome), LinkError> {
        let hello = Hello { gateway_id: self.gateway_id.clone(), protocol: LINK_PROTOCOL };
        let frames = vec![GatewayFrame { frame: Some(Frame::Hello(hello)) }];
        says.send(GatewayFrames { frames }).await.map_err(|_| LinkError::Ended)?;
        let mut incoming = self.connector.connect(&self.member, ReceiverStream::new(outgoing)).await?;
        let first = incoming.next().await.ok_or(LinkError::Ended)??;
        let welcome = welcome(first).ok_or(LinkError::NoWelcome)?;
        if welcome.worker_id != self.member.id.as_str() {
            return Err(LinkError::OtherWorker(welcome.worker_id));
        }
        let ring_version = RingVersion::from_u64(welcome.ring_version);
        debug!(incarnation = welcome.incarnation, %ring_version, "the worker welcomes the gateway");
        Ok((incoming, welcome))
    }

    /// Carries frames both ways. Neither direction waits for the other.
    async fn carry(
        &self,
        link: &Arc<Link>,
        says: mpsc::Sender<GatewayFrames>,
        incoming: &mut WorkerStream,
    ) -> Result<(), LinkError> {
        let unwanted = CancellationToken::new();
        // Beside the conversation: a worker that does not listen holds that up.
        let end = async {
            self.unwanted(link).await;
            unwanted.cancel();
            tokio::time::sleep(self.flush_timeout).await;
        };
        tokio::select! {
            biased;
            outcome = self.converse(link, says, incoming, &unwanted) => outcome,
            () = end => Ok(()),
        }
    }

    async fn converse(
        &self,
        link: &Arc<Link>,
        says: mpsc::Sender<GatewayFrames>,
        incoming: &mut WorkerStream,
        unwanted: &CancellationToken,
    ) -> Result<(), LinkError> {
        let (outcome, says) = tokio::select! {
            biased;
            error = hear(link, incoming) => (Err(error), None),
            outcome = self.speak(link, &says, unwanted) => (outcome, Some(says)),
        };
        // The worker ends its half when it has heard everything.
        if outcome.is_ok() {
            drop(says);
            hear(link, incoming).await;
        }
        outcome
    }

    /// Sends what is queued until the link breaks; ends well when the link is not wanted any more and everything was sent.
    async fn speak(
        &self,
        link: &Arc<Link>,
        says: &mpsc::Sender<GatewayFrames>,
        unwanted: &CancellationToken,
    ) -> Result<(), LinkError> {
        loop {
            let stopped = tokio::select! {
                biased;
                filled = link.queue().filled() => {
                    if filled == Filled::Reports {
                        // Woken early by a frame, or when it is time to report.
                        tokio::time::timeout(REPORT_INTERVAL, link.queue().filled_with_frames()).await.ok();
                    }
                    false
                }
                () = unwanted.cancelled() => true,
            };
            link.queue().gather_reports();
            for (frames, bytes) in batches(link.queue().take(), self.config.batch_bytes) {
                says.send(GatewayFrames { frames }).await.map_err(|_| LinkError::Ended)?;
                link.queue().sent(bytes);
            }
            if stopped {
                return Ok(());
            }
        }
    }

    /// Until the gateway stops, or the worker has left the view and its last session is gone. Cancel-safe.
    async fn unwanted(&self, link: &Arc<Link>) {
        let abandoned = async {
            self.retired.cancelled().await;
            moving::evict(link, self.moves.config()).await;
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = abandoned => {}
        }
    }
}

/// Shows a link as up, and lets go what was on it when it is over, however that comes.
struct Up<'a> {
    task: &'a LinkTask,
    link: Arc<Link>,
}

impl<'a> Up<'a> {
    fn begin(task: &'a LinkTask, link: Arc<Link>) -> Self {
        info!("the link is up");
        task.meters.link(&task.member.id, "down", -1.0);
        task.meters.link(&task.member.id, "up", 1.0);
        task.place.fill(Arc::clone(&link));
        Self { task, link }
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.task.place.clear();
        let sessions = self.link.break_off();
        if sessions > 0 {
            warn!(sessions, "sessions lost their worker, they are opened again");
        }
        self.task.meters.link(&self.task.member.id, "up", -1.0);
        self.task.meters.link(&self.task.member.id, "down", 1.0);
    }
}

/// Full jitter: each wait is anything between nothing and a bound that doubles.
struct Backoff {
    failures: u32,
    min: Duration,
    max: Duration,
}

impl Backoff {
    fn new(config: &LinkConfig) -> Self {
        Self { failures: 0, min: config.backoff_min, max: config.backoff_max }
    }

    fn next(&mut self) -> Duration {
        let bound = self.min.saturating_mul(1 << self.failures.min(16)).min(self.max);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(rand::rng().random_range(0.0..=1.0))
    }
}

/// Takes what the worker says until it says no more, and writes to the clients for whom it is. After each turn others have theirs, those beside
/// it in the same task too: so it counts for itself, and leaves them what the runtime grants the task ([`unconstrained`]).
async fn hear(link: &Arc<Link>, incoming: &mut WorkerStream) -> LinkError {
    let is_alone = Handle::current().metrics().num_workers() == 1;
    let hearing = async {
        let mut owed = Owed::default();
        loop {
            let has_paused = match hear_some(link, incoming, &mut owed).await {
                Ok(has_paused) => has_paused,
                Err(error) => return error,
            };
            owed.write_some();
            if !has_paused || !owed.is_empty() {
                if !is_alone {
                    // Other threads help with what is much.
                    owed = Owed::default();
                }
                yield_now().await;
            }
        }
    };
    unconstrained(hearing).await
}

/// Takes what is there; waits for it only if nobody is owed anything. Says whether there was no more.
async fn hear_some(
    link: &Arc<Link>,
    incoming: &mut WorkerStream,
    owed: &mut Owed,
) -> Result<bool, LinkError> {
    for _ in 0..BURST_MAX {
        let next = match owed.is_empty() {
            true => incoming.next().await,
            false => match incoming.next().now_or_never() {
                Some(next) => next,
                None => return Ok(true),
            },
        };
        let WorkerFrames { frames } = next.ok_or(LinkError::Ended)??;
        frames.into_iter().for_each(|frame| link.take(frame, owed));
    }
    Ok(false)
}

fn welcome(first: WorkerFrames) -> Option<Welcome> {
    match first.frames.into_iter().next()?.frame? {
        Told::Welcome(welcome) => Some(welcome),
        _ => None,
    }
}

/// Splits frames into batches of about `batch_bytes`, each with its cost.
fn batches(
    frames: Vec<GatewayFrame>,
    batch_bytes: usize,
) -> impl Iterator<Item = (Vec<GatewayFrame>, usize)> {
    let mut frames = frames.into_iter().peekable();
    std::iter::from_fn(move || {
        frames.peek()?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < batch_bytes
            && let Some(frame) = frames.next()
        {
            bytes += queue::cost_bytes(&frame);
            batch.push(frame);
        }
        Some((batch, bytes))
    })
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use ringway_proto::v1::{ClientMessage, Gone, Open, PayloadKind, StatePart, Written};

    use super::*;

    #[test]
    fn batches_keep_order_and_lose_nothing() {
        let frame = |channel, bytes| GatewayFrame {
            frame: Some(Frame::Message(ClientMessage {
                channel,
                payload: vec![0; bytes].into(),
                kind: PayloadKind::Binary.into(),
            })),
        };
        let frames: Vec<_> = (0..100).map(|channel| frame(channel, channel as usize * 7)).collect();
        for batch_bytes in [1, 64, 1000, 1_000_000] {
            let split: Vec<_> = batches(frames.clone(), batch_bytes).collect();
            let total: usize = frames.iter().map(queue::cost_bytes).sum();
            assert_eq!(split.iter().map(|(_, bytes)| bytes).sum::<usize>(), total);
            assert_eq!(split.into_iter().flat_map(|(batch, _)| batch).collect::<Vec<_>>(), frames);
        }
    }

    #[test]
    fn a_batch_is_as_large_as_it_counts_whatever_is_in_it() {
        let batch_bytes = LinkConfig::default().batch_bytes;
        let frames: Vec<Frame> = vec![
            Frame::Open(Open { subprotocols: vec!["x".repeat(100); 10], ..Open::default() }),
            Frame::Open(Open { subprotocols: vec![String::new(); 1000], ..Open::default() }),
            Frame::Open(Open { groups: vec!["g".to_owned(); 500], ..Open::default() }),
            Frame::Open(Open { user: "u".repeat(255), remote_address: "a".repeat(50), ..Open::default() }),
            Frame::Message(ClientMessage { channel: u64::MAX, payload: vec![1; 10].into(), kind: 1 }),
            Frame::Written(Written { channels: vec![u64::MAX; 1024], bytes: vec![u64::MAX; 1024] }),
            Frame::Gone(Gone { channel: u64::MAX, code: u32::MAX, may_resume: true }),
            Frame::StatePart(StatePart { channel: u64::MAX, state: vec![1; 100_000].into() }),
        ];
        for frame in frames {
            let frame = GatewayFrame { frame: Some(frame) };
            let largest = batch_bytes + queue::cost_bytes(&frame);
            for (batch, _) in batches(vec![frame.clone(); 10_000], batch_bytes) {
                let encoded_bytes = GatewayFrames { frames: batch }.encoded_len();
                assert!(encoded_bytes <= largest, "{encoded_bytes} bytes of {:.80}", format!("{frame:?}"));
            }
        }
    }

    #[test]
    fn waits_grow_to_their_bound_and_no_further() {
        let config = LinkConfig::default();
        let mut backoff = Backoff::new(&config);
        for failure in 0..40 {
            let bound = config.backoff_min.saturating_mul(1 << failure.min(16)).min(config.backoff_max);
            assert!(backoff.next() <= bound, "failure {failure}");
        }
    }
}
