//! This worker's share in knowing who is interested in which group: what it reports, and what it was told as a home.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ringway_cluster::{Member, View};
use ringway_ring::{MemberId, Ring};
use ringway_session::{GroupId, HomeInterest, LocalInterest, Report, StreamId};
use tokio::sync::watch;
use tracing::{info, warn};

/// For how long a worker that is not in the view any more is sent what goes to many: its gateways may take its sessions away
/// only after a moment.
const DEPARTED_FOLLOWED: Duration = Duration::from_secs(5);

pub(crate) struct Interest {
    local: Mutex<LocalInterest>,
    home: Mutex<HomeInterest>,
    roster: Mutex<Roster>,
    /// There may be something to report.
    to_report: watch::Sender<()>,
    /// Something may be settled that was not. Kept apart, for many may wait for it.
    to_settle: watch::Sender<()>,
    next_stream: AtomicU64,
}

impl Interest {
    pub(crate) fn new(me: MemberId, view: &View) -> Self {
        let mut local = LocalInterest::new(me, Arc::clone(view.ring()));
        local.ring_changed(Arc::clone(view.ring()), worker_ids(view));
        Interest {
            local: Mutex::new(local),
            home: Mutex::default(),
            roster: Mutex::default(),
            to_report: watch::Sender::new(()),
            to_settle: watch::Sender::new(()),
            next_stream: AtomicU64::new(0),
        }
    }

    pub(crate) fn appeared(&self, group: &GroupId) {
        self.local.lock().appeared(group);
        self.to_report.send_replace(());
    }

    pub(crate) fn vanished(&self, group: &GroupId) {
        self.local.lock().vanished(group);
        self.to_report.send_replace(());
    }

    pub(crate) fn view_changed(&self, view: &Arc<View>) {
        let ring: Arc<Ring> = Arc::clone(view.ring());
        self.local.lock().ring_changed(ring, worker_ids(view));
        self.roster.lock().view_changed(view, Instant::now());
        self.to_report.send_replace(());
        self.to_settle.send_replace(());
    }

    pub(crate) fn restart(&self, home: &MemberId) {
        self.local.lock().restart(home);
    }

    pub(crate) fn next_report(&self, home: &MemberId) -> Option<Report> {
        self.local.lock().next_report(home)
    }

    pub(crate) fn acknowledged(&self, home: &MemberId, sequence: u64) {
        let caught_up = self.local.lock().acknowledged(home, sequence);
        if caught_up {
            info!(%home, "a worker takes note of our groups again");
        }
        self.to_settle.send_replace(());
    }

    /// From now on nobody waits for the homes that are behind, until they have caught up.
    pub(crate) fn give_up_waiting(&self) {
        let behind = self.local.lock().give_up_waiting();
        if !behind.is_empty() {
            warn!(?behind, "workers do not take note of our groups in time: handshakes go on without them");
        }
        self.to_settle.send_replace(());
    }

    /// Fires when there may be something to report.
    pub(crate) fn to_report(&self) -> watch::Receiver<()> {
        self.to_report.subscribe()
    }

    /// Whether the homes of these groups know of this worker's members.
    pub(crate) fn settled(&self, groups: &[GroupId]) -> bool {
        let local = self.local.lock();
        groups.iter().all(|group| local.settled(group))
    }

    /// Waits until the homes of these groups know of this worker's members, at most `timeout`. Gives back whether they do.
    pub(crate) async fn settle(&self, groups: &[GroupId], timeout: Duration) -> bool {
        let mut changes = self.to_settle.subscribe();
        let settled = async {
            while !self.settled(groups) {
                // The sender lives as long as `self`.
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(timeout, settled).await.is_ok()
    }

    /// A worker begins to report to this home.
    pub(crate) fn begin(self: &Arc<Self>, worker: MemberId) -> ReportStream {
        let id = StreamId(self.next_stream.fetch_add(1, Ordering::Relaxed));
        self.home.lock().begin(worker.clone(), id);
        ReportStream { interest: Arc::clone(self), worker, id }
    }

    /// The other workers that a group's message must be sent to, by this view.
    pub(crate) fn audience(&self, group: &GroupId, view: &View, me: &MemberId) -> Vec<MemberId> {
        let others = view.workers().iter().map(|member| &member.id).filter(|id| *id != me);
        self.home.lock().audience(group, view.version(), others).into_iter().cloned().collect()
    }

    /// The workers that have left lately and are not in this view. One that is only cut off from the registry may still have
    /// sessions. `latest` is the latest view: whoever leaves it is in one of the two, at every moment.
    pub(crate) fn departed(&self, view: &View, latest: &Arc<View>) -> Vec<Member> {
        let (mut roster, now) = (self.roster.lock(), Instant::now());
        roster.view_changed(latest, now);
        roster.departed(view, now)
    }

    /// One of those does not answer.
    pub(crate) fn forget_departed(&self, id: &MemberId) {
        self.roster.lock().departed.retain(|(member, _)| member.id != *id);
    }
}

/// The workers of the present view, and those that have left it.
#[derive(Debug, Default)]
struct Roster {
    view: Option<Arc<View>>,
    departed: Vec<(Member, Instant)>,
}

impl Roster {
    fn view_changed(&mut self, view: &Arc<View>, now: Instant) {
        let former = self.view.replace(Arc::clone(view));
        let Some(former) = former.filter(|former| !Arc::ptr_eq(former, view)) else { return };
        self.departed.retain(|(member, since)| {
            view.member(&member.id).is_none() && now.duration_since(*since) < DEPARTED_FOLLOWED
        });
        let left = former.workers().iter().filter(|member| view.member(&member.id).is_none());
        self.departed.extend(left.map(|member| (member.clone(), now)));
    }

    fn departed(&self, view: &View, now: Instant) -> Vec<Member> {
        let lately = self.departed.iter().filter(|(_, since)| now.duration_since(*since) < DEPARTED_FOLLOWED);
        lately.map(|(member, _)| member).filter(|member| view.member(&member.id).is_none()).cloned().collect()
    }
}

/// A report stream at its home. Dropping it voids what it reported.
pub(crate) struct ReportStream {
    interest: Arc<Interest>,
    pub(crate) worker: MemberId,
    id: StreamId,
}

impl ReportStream {
    /// Takes a report. Gives back whether the stream still counts.
    pub(crate) fn take(&self, report: &Report) -> bool {
        self.interest.home.lock().report(&self.worker, self.id, report)
    }
}

impl Drop for ReportStream {
    fn drop(&mut self) {
        self.interest.home.lock().end(&self.worker, self.id);
    }
}

fn worker_ids(view: &View) -> impl Iterator<Item = MemberId> {
    view.workers().iter().map(|member| member.id.clone())
}
