//! Lives of workers that have ended: what they have exported is taken away, once those of their users who come back have had
//! the time to.
//!
//! Every worker keeps the same list by its own view, and the one that owns the dead worker's name on the ring acts.

use std::sync::Arc;
use std::time::Duration;

use ringway_cluster::View;
use ringway_store::WorkerLife;
use tokio::time::Instant;

#[derive(Default)]
pub(super) struct Graves {
    seen: Option<Arc<View>>,
    dead: Vec<(Instant, WorkerLife)>,
}

impl Graves {
    /// Takes note of who has gone since the last view. Their users have so long to come back.
    pub(super) fn view_changed(&mut self, view: &Arc<View>, wait: Duration) {
        let Some(former) = self.seen.replace(Arc::clone(view)) else { return };
        let due = Instant::now() + wait;
        let lives = former.workers().iter().filter(|member| member.incarnation != 0);
        let dead = lives
            .map(|member| WorkerLife { worker: member.id.clone(), incarnation: member.incarnation })
            .filter(|life| !has(view, life));
        self.dead.extend(dead.map(|life| (due, life)));
    }

    /// A life that is to be removed by us now. Those that others remove, or that are seen again, are forgotten.
    pub(super) fn next(&mut self, view: &View, me: &str) -> Option<WorkerLife> {
        let now = Instant::now();
        while let Some(position) = self.dead.iter().position(|(due, _)| *due <= now) {
            let (_, life) = self.dead.swap_remove(position);
            let is_mine = view.owner(life.worker.as_str()).is_some_and(|owner| owner.id.as_str() == me);
            if is_mine && !has(view, &life) {
                return Some(life);
            }
        }
        None
    }

    /// It could not be removed: later.
    pub(super) fn again(&mut self, life: WorkerLife, wait: Duration) {
        self.dead.push((Instant::now() + wait, life));
    }
}

fn has(view: &View, life: &WorkerLife) -> bool {
    view.member(&life.worker).is_some_and(|member| member.incarnation == life.incarnation)
}
