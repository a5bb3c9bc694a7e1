//! All links of a gateway: a few to each worker of the view, kept by one task each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use ringway_cluster::{Member, MemberState, View, Views};
use ringway_ring::MemberId;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::connector::LinkConnector;
use super::seat::Seat;
use super::table::Link;
use super::task::LinkTask;
use crate::config::{LinkConfig, Routing};
use crate::metrics::Meters;
use crate::moving::Moves;

/// The links of a gateway.
pub(crate) struct Links {
    workers: Mutex<HashMap<MemberId, Worker>>,
    roster: Arc<Roster>,
    tasks: TaskTracker,
    /// Ends all links.
    stop: CancellationToken,
    setup: Setup,
}

/// What all link tasks share.
pub(crate) struct Setup {
    pub(crate) gateway_id: String,
    pub(crate) routing: Routing,
    pub(crate) config: LinkConfig,
    pub(crate) flush_timeout: Duration,
    pub(crate) connector: Arc<dyn LinkConnector>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) moves: Arc<Moves>,
}

/// The links to one worker, as one start of it.
struct Worker {
    member: Member,
    places: Vec<Arc<Place>>,
    next: AtomicUsize,
    retired: CancellationToken,
}

/// Where a link stands while it is up.
pub(crate) struct Place {
    link: Mutex<Option<Arc<Link>>>,
    roster: Arc<Roster>,
}

/// All links that are up: also those to workers that have left the view, which last as long as their sessions.
#[derive(Default)]
struct Roster {
    links: Mutex<Vec<Weak<Link>>>,
    changed: watch::Sender<()>,
}

impl Links {
    pub(crate) fn new(setup: Setup) -> Arc<Self> {
        Arc::new(Self {
            workers: Mutex::default(),
            roster: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            setup,
        })
    }

    /// A link to this worker that is up, each in turn.
    pub(crate) fn to(&self, worker: &MemberId) -> Option<Arc<Link>> {
        let workers = self.workers.lock();
        let worker = workers.get(worker)?;
        let first = worker.next.fetch_add(1, Ordering::Relaxed);
        let places = (0..worker.places.len()).map(|step| first.wrapping_add(step) % worker.places.len());
        places.filter_map(|index| worker.places[index].link.lock().clone()).next()
    }

    /// Says when a link came up or went down after this call.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.roster.changed.subscribe()
    }

    /// Every session that is on a link.
    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        self.roster.links.lock().iter().filter_map(Weak::upgrade).flat_map(|link| link.seats()).collect()
    }

    /// Keeps links to the workers of the view, whatever the view, until `shutdown`.
    pub(crate) async fn follow(self: Arc<Self>, views: Views, shutdown: CancellationToken) {
        let mut seen = views.subscribe();
        loop {
            let view = Arc::clone(&seen.borrow_and_update());
            self.adopt(&view);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                // Cancel-safe: a change that was not taken is reported again.
                changed = seen.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    /// Closes all links if their gateway is dropped before it has ended.
    pub(crate) fn close_when_dropped(&self) -> DropGuard {
        self.stop.clone().drop_guard()
    }

    /// Sends what is queued, closes all links, and waits until they are closed.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn adopt(&self, view: &View) {
        let mut workers = self.workers.lock();
        workers.retain(|id, worker| {
            let stays = view.member(id).is_some_and(|member| is_same(member, &worker.member));
            if !stays {
                worker.retired.cancel();
            }
            stays
        });
        for member in view.workers().iter().filter(|member| self.is_wanted(member)) {
            workers.entry(member.id.clone()).or_insert_with(|| self.attach(member));
        }
    }

    fn is_wanted(&self, member: &Member) -> bool {
        let is_ours = match &self.setup.routing {
            Routing::Everywhere => true,
            Routing::OnlyHere(id) => *id == member.id,
        };
        is_ours && member.state != MemberState::Joining
    }

    fn attach(&self, member: &Member) -> Worker {
        let retired = CancellationToken::new();
        let places =
            (0..self.setup.config.links_per_worker).map(|_| self.begin_link(member, &retired)).collect();
        Worker { member: member.clone(), places, next: AtomicUsize::new(0), retired }
    }

    fn begin_link(&self, member: &Member, retired: &CancellationToken) -> Arc<Place> {
        let place = Arc::new(Place { link: Mutex::default(), roster: Arc::clone(&self.roster) });
        let task = LinkTask {
            member: member.clone(),
            place: Arc::clone(&place),
            connector: Arc::clone(&self.setup.connector),
            gateway_id: self.setup.gateway_id.clone(),
            config: self.setup.config.clone(),
            flush_timeout: self.setup.flush_timeout,
            meters: Arc::clone(&self.setup.meters),
            moves: Arc::clone(&self.setup.moves),
            retired: retired.clone(),
            stop: self.stop.clone(),
        };
        self.tasks.spawn(task.run());
        place
    }
}

impl Place {
    pub(crate) fn fill(&self, link: Arc<Link>) {
        let mut links = self.roster.links.lock();
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(&link));
        drop(links);
        *self.link.lock() = Some(link);
        self.roster.changed.send_replace(());
    }

    pub(crate) fn clear(&self) {
        *self.link.lock() = None;
        self.roster.changed.send_replace(());
    }
}

/// Whether a link to the one is a link to the other.
fn is_same(a: &Member, b: &Member) -> bool {
    a.id == b.id && a.incarnation == b.incarnation && a.rpc_url == b.rpc_url
}
