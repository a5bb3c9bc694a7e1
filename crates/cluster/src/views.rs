//! The present view, and the task that makes views of a registry's lists.
//!
//! A view never gets worse for lack of news: when the registry shows nobody at all, or something that is no member
//! list, the last view stays. A ring is emptied only by members that say of themselves that they are not active.

use std::sync::Arc;

use ringway_ring::Strategy;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::changes::Changes;
use crate::member::MemberState;
use crate::registry::{MemberList, Registry};
use crate::view::View;

/// The way to the present view. A cheap clone; all clones show the same.
#[derive(Clone, Debug)]
pub struct Views {
    sender: Arc<watch::Sender<Arc<View>>>,
}

impl Views {
    /// The view of this moment. Keep it for one decision, not longer.
    pub fn current(&self) -> Arc<View> {
        Arc::clone(&self.sender.borrow())
    }

    /// This view and every later one. A slow subscriber misses views in between and sees the last one. The subscription
    /// ends, as an error of `changed`, only when every handle is dropped.
    pub fn subscribe(&self) -> watch::Receiver<Arc<View>> {
        self.sender.subscribe()
    }

    pub(crate) fn new(first: View) -> Self {
        report(&first);
        Self { sender: Arc::new(watch::Sender::new(Arc::new(first))) }
    }

    /// Makes a view the present one, unless it is the same or shows nobody.
    pub(crate) fn show(&self, next: View) {
        let before = self.current();
        if next.workers().is_empty() && !before.workers().is_empty() {
            if before.workers().iter().all(|member| member.state == MemberState::Draining) {
                info!(version = %before.version(), "the last members have left: the last view stays");
            } else {
                warn!(version = %before.version(), "no members are shown any more: the last view stays");
            }
            return;
        }
        let changes = Changes::between(&before, &next);
        if changes.is_empty() {
            return;
        }
        info!(
            version = %next.version(),
            joined = changes.joined.join(" "),
            left = changes.left.join(" "),
            restarted = changes.restarted.join(" "),
            changed = changes.changed.join(" "),
            "the members changed",
        );
        if before.version() != next.version() {
            metrics::counter!("ringway_cluster_ring_changes_total").increment(1);
        }
        report(&next);
        self.sender.send_replace(Arc::new(next));
    }
}

/// Watches a registry and makes views of its lists until `shutdown`. The first one is there at once.
///
/// The strategy must be the same in every process of the cluster.
pub fn views(registry: &dyn Registry, strategy: Strategy, shutdown: CancellationToken) -> Views {
    let mut lists = registry.watch();
    let present = lists.borrow_and_update().clone();
    let views = Views::new(first_view(strategy, &present));
    let task = ViewTask { lists, views: views.clone(), shutdown };
    tokio::spawn(task.run());
    views
}

/// Turns member lists into views.
struct ViewTask {
    lists: watch::Receiver<MemberList>,
    views: Views,
    shutdown: CancellationToken,
}

impl ViewTask {
    async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return,
                // Cancel-safe: a change that was not taken is reported again.
                changed = self.lists.changed() => if changed.is_err() {
                    return;
                },
            }
            let list = self.lists.borrow_and_update().clone();
            self.take(&list);
        }
    }

    fn take(&self, list: &MemberList) {
        match self.views.current().with_members(list.iter().cloned()) {
            Ok(next) => self.views.show(next),
            Err(error) => error!(%error, "the registry's list makes no ring: the last view stays"),
        }
    }
}

/// An unusable first list is as good as none: the next one comes.
fn first_view(strategy: Strategy, list: &MemberList) -> View {
    View::build(strategy, list.iter().cloned()).unwrap_or_else(|error| {
        error!(%error, "the registry's list makes no ring: there are no members until it is right");
        View::empty(strategy)
    })
}

/// Shows a view in the metrics. The version is given by its highest 52 bits, which a metric's number can hold exactly:
/// nodes that show the same number have the same ring.
fn report(view: &View) {
    for state in MemberState::ALL {
        let count = view.workers().iter().filter(|member| member.state == state).count();
        metrics::gauge!("ringway_cluster_members", "state" => state.as_str()).set(count as f64);
    }
    metrics::gauge!("ringway_cluster_ring_version").set((view.version().as_u64() >> 12) as f64);
}
