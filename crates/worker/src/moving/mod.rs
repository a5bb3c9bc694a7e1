//! Sessions on their way between workers: what is asked of others when the ring changes, and how our own leave.
//!
//! A change of the ring goes like this: the new ring is adopted; every other worker is asked what it holds of our users
//! (`claiming`) and answers when it has adopted the same ring (`peer::claim`); sessions that belong elsewhere leave, paced
//! (`leaving`), by way of their gateways or, without one, directly.

mod claiming;
mod leaving;

use std::sync::Arc;

use ringway_cluster::{Member, View};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use crate::worker::Shared;

pub(crate) use leaving::leave_for_ever;

/// Follows the views: adopts their rings and asks the others.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    /// The last view.
    seen: Option<Arc<View>>,
    /// The view of which the ring is adopted.
    adopted: Option<Arc<View>>,
    /// Ends the claims of the former ring.
    claims: Option<DropGuard>,
    tasks: JoinSet<()>,
}

impl Follower {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Follower { shared, seen: None, adopted: None, claims: None, tasks: JoinSet::new() }
    }

    /// Follows the views for ever.
    pub(crate) async fn run(mut self) {
        let (mut views, mut again) = (self.shared.views.subscribe(), false);
        loop {
            let view = Arc::clone(&views.borrow_and_update());
            self.note_reborn(&view);
            let is_new = self.adopted.as_ref().is_none_or(|adopted| adopted.version() != view.version());
            if is_new || again {
                self.adopt(&view);
            }
            let lives = view.workers().iter().map(|member| (member.id.clone(), member.incarnation));
            self.shared.hub.follows(lives.collect());
            while self.tasks.try_join_next().is_some() {}
            again = tokio::select! {
                biased;
                // Both are cancel-safe.
                () = self.shared.hub.unsettled() => true,
                changed = views.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
            };
        }
    }

    /// Workers that have died and run again, whatever the ring. We may be one of them ourselves.
    fn note_reborn(&mut self, view: &Arc<View>) {
        let former = self.seen.replace(Arc::clone(view));
        let ours = [(&self.shared.config.id, self.shared.incarnation)];
        let lives = view.workers().iter().map(|member| (&member.id, member.incarnation)).chain(ours);
        for (id, incarnation) in lives {
            let before = former.as_ref().unwrap_or(view);
            let is_other_life =
                |member: &Member| member.incarnation != 0 && member.incarnation != incarnation;
            let was_on_ring = before.ring().active_members().iter().any(|active| active.id == *id);
            if was_on_ring && before.member(id).is_some_and(is_other_life) {
                info!(worker = %id, "a worker runs again: what its former life held is waited for");
                self.shared.hub.reborn(id, Arc::clone(before.ring()));
            }
        }
    }

    fn adopt(&mut self, view: &Arc<View>) {
        let former = self.adopted.replace(Arc::clone(view));
        let others = self.others(former.as_deref(), view);
        // Whoever owns a user from now on shall see what his devices have.
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move { shared.flush_mailboxes().await });
        self.claims = None;
        let ids = || others.iter().map(|other| other.id.clone());
        let departed = ids().filter(|id| view.member(id).is_none());
        self.shared.hub.adopt(Arc::clone(view.ring()), ids(), departed);
        info!(version = %view.version(), others = others.len(), "the ring is adopted: the others are asked what they hold");
        let end = CancellationToken::new();
        for other in others {
            let asking = self.shared.hub.begin_asking(&other.id);
            let claim = claiming::Claim {
                shared: Arc::clone(&self.shared),
                holder: other.id,
                incarnation: other.incarnation,
                url: other.rpc_url,
                version: view.version(),
                asking,
            };
            let end = end.clone();
            self.tasks.spawn(async move {
                _ = end.run_until_cancelled(claim.run()).await; // None when the ring has changed: another claim follows.
            });
        }
        self.claims = Some(end.drop_guard());
    }

    /// All other workers of this view and of the one before it: those that have left may still hold sessions.
    fn others(&self, former: Option<&View>, view: &View) -> Vec<Member> {
        let departed =
            former.into_iter().flat_map(View::workers).filter(|member| view.member(&member.id).is_none());
        let others = view.workers().iter().chain(departed).filter(|member| !self.shared.is_me(&member.id));
        others.cloned().collect()
    }
}
