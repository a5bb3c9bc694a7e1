//! Reports to the homes of groups: one stream to each other worker, kept up as long as the worker is in the view.
//!
//! One report is under way at a time; what comes meanwhile goes together with the next. A broken stream is opened
//! again after a random pause and begins with a complete list.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ringway_cluster::{Member, View};
use ringway_proto::v1::{InterestAck, InterestReport};
use ringway_ring::MemberId;
use ringway_rpc::NodeUrl;
use ringway_session::{GroupId, Report};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Status, Streaming};
use tracing::debug;

use crate::worker::Shared;

/// The bound of the first pause before a broken stream is opened again; it doubles with each failure.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The bound beyond which it does not grow.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The reporters to all other workers.
pub(crate) struct Reporters {
    shared: Arc<Shared>,
    running: HashMap<MemberId, (NodeUrl, DropGuard)>,
    tasks: JoinSet<()>,
}

impl Reporters {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Reporters { shared, running: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Follows the views for ever.
    pub(crate) async fn run(mut self) {
        let mut views = self.shared.views.subscribe();
        let mut shown: Option<Arc<View>> = None;
        loop {
            let view = Arc::clone(&views.borrow_and_update());
            if shown.is_none_or(|old| differ(&old, &view)) {
                self.shared.interest.view_changed(&view);
                self.follow(&view);
            }
            shown = Some(view);
            while self.tasks.try_join_next().is_some() {}
            if views.changed().await.is_err() {
                return;
            }
        }
    }

    /// Starts reporters to new workers, and ends those to workers that left or moved.
    fn follow(&mut self, view: &View) {
        self.running.retain(|id, (url, _)| view.member(id).is_some_and(|member| member.rpc_url == *url));
        for member in view.workers() {
            if !self.shared.is_me(&member.id) && !self.running.contains_key(&member.id) {
                self.start(member);
            }
        }
    }

    fn start(&mut self, member: &Member) {
        let end = CancellationToken::new();
        self.running.insert(member.id.clone(), (member.rpc_url.clone(), end.clone().drop_guard()));
        let shared = Arc::clone(&self.shared);
        let reporter = Reporter { shared, home: member.id.clone(), url: member.rpc_url.clone() };
        self.tasks.spawn(async move {
            _ = end.run_until_cancelled(reporter.run()).await; // None when it was ended: nothing is left to do.
        });
    }
}

/// Whether the second view has another ring, or other workers, than the first.
fn differ(old: &View, new: &View) -> bool {
    let places = |view: &View| -> Vec<_> {
        view.workers().iter().map(|member| (member.id.clone(), member.rpc_url.clone())).collect()
    };
    old.version() != new.version() || places(old) != places(new)
}

/// Reports to one home.
struct Reporter {
    shared: Arc<Shared>,
    home: MemberId,
    url: NodeUrl,
}

impl Reporter {
    async fn run(self) {
        let mut pause = PAUSE_MIN;
        loop {
            let mut reported = false;
            if let Err(status) = self.report(&mut reported).await {
                debug!(home = %self.home, code = ?status.code(), "the report stream has broken");
            }
            pause = if reported { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
            tokio::time::sleep(pause.mul_f64(rand::random())).await;
        }
    }

    /// One stream, from a complete list to its end. Tells whether anything was taken note of.
    async fn report(&self, reported: &mut bool) -> Result<(), Status> {
        let mut to_report = self.shared.interest.to_report();
        let (reports, receiver) = mpsc::channel(1);
        let mut peer = self.shared.pool.node(&self.url).peer();
        let mut acks = peer.report_interest(ReceiverStream::new(receiver)).await?.into_inner();
        self.shared.interest.restart(&self.home);
        loop {
            while let Some(report) = self.shared.interest.next_report(&self.home) {
                let sequence = report.sequence;
                reports.send(self.to_proto(report)).await.map_err(|_| ended())?;
                self.acknowledged(&mut acks, sequence).await?;
                *reported = true;
            }
            tokio::select! {
                biased;
                // Cancel-safe: no acknowledgement is due, so what comes is the end, and it comes again.
                end = acks.message() => return end.and(Err(ended())),
                // Cancel-safe: a change that was not taken is reported again.
                _ = to_report.changed() => {}
            }
        }
    }

    /// Waits until the home has taken note of a report.
    async fn acknowledged(&self, acks: &mut Streaming<InterestAck>, sequence: u64) -> Result<(), Status> {
        loop {
            let ack = acks.message().await?.ok_or_else(ended)?;
            self.shared.interest.acknowledged(&self.home, ack.sequence);
            if ack.sequence >= sequence {
                return Ok(());
            }
        }
    }

    fn to_proto(&self, report: Report) -> InterestReport {
        let names = |groups: Vec<GroupId>| groups.iter().map(ToString::to_string).collect();
        InterestReport {
            worker: self.shared.config.id.to_string(),
            sequence: report.sequence,
            ring_version: report.ring_version.as_u64(),
            restart: report.restart,
            complete: report.complete,
            joined: names(report.joined),
            left: names(report.left),
        }
    }
}

fn ended() -> Status {
    Status::unavailable("the home has ended the stream")
}
