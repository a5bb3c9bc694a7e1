//! The fence: whether a call is carried out here, forwarded once, or refused.

use std::sync::Arc;

use ringway_cluster::{Member, View};
use ringway_proto::v1::Routing;
use ringway_proto::{Reason, Refusal};
use ringway_ring::Slot;
use tokio::time::timeout_at;

use crate::worker::Shared;

/// Where a call is to be carried out.
pub(crate) enum Place {
    /// By this worker.
    Here,
    /// By another one, which has not been asked yet.
    Elsewhere,
}

impl Shared {
    /// Where a call for this key is to be carried out, by this view.
    ///
    /// # Errors
    /// `NOT_OWNER` if it was forwarded to this worker, which does not own the key; `NO_WORKERS` if nobody does.
    pub(crate) fn place(&self, view: &View, key: &str, routing: Option<&Routing>) -> Result<Place, Refusal> {
        self.place_owner(view, view.owner(key), routing)
    }

    /// The same, after waiting for the view by which a node that forwarded the call chose this worker, if it is one that this
    /// worker has not seen yet: to refuse a call that is about to be right would cost its place among others.
    ///
    /// # Errors
    /// As [`place`](Shared::place).
    pub(crate) async fn place_when_seen(
        &self,
        key: &str,
        routing: Option<&Routing>,
    ) -> Result<(Arc<View>, Place), Refusal> {
        let deadline = self.arrival_deadline();
        let mut views = self.views.subscribe();
        loop {
            let view = Arc::clone(&views.borrow_and_update());
            let refusal = match self.place(&view, key, routing) {
                Ok(place) => return Ok((view, place)),
                Err(refusal) => refusal,
            };
            let is_early = refusal.reason == Reason::NotOwner && !has_seen(&view, routing);
            if !is_early || timeout_at(deadline, views.changed()).await.is_err() {
                return Err(refusal);
            }
        }
    }

    /// The same for a slot.
    ///
    /// # Errors
    /// As [`place`](Shared::place).
    pub(crate) fn place_slot(
        &self,
        view: &View,
        slot: Slot,
        routing: Option<&Routing>,
    ) -> Result<Place, Refusal> {
        self.place_owner(view, view.owner_of_slot(slot), routing)
    }

    /// Whether the worker may act at all: its lease is valid.
    ///
    /// # Errors
    /// `NOT_OWNER` if not.
    pub(crate) fn check_lease(&self) -> Result<(), Refusal> {
        if self.hub.is_lapsed() {
            let message = "the lease of this worker has run out: it acts for nobody now; refresh the ring";
            return Err(Refusal::new(Reason::NotOwner, message).with_ring(self.hub.ring_version()));
        }
        Ok(())
    }

    fn place_owner(
        &self,
        view: &View,
        owner: Option<&Member>,
        routing: Option<&Routing>,
    ) -> Result<Place, Refusal> {
        if self.hub.is_leaving() {
            let message = "this worker is about to leave; try again";
            return Err(Refusal::new(Reason::Draining, message).with_ring(view.version()));
        }
        let hops = routing.map_or(0, |routing| routing.hops);
        match owner {
            Some(owner) if self.is_me(&owner.id) => Ok(Place::Here),
            Some(_) if hops == 0 => {
                self.metrics.forwards.increment(1);
                Ok(Place::Elsewhere)
            }
            Some(owner) => {
                self.metrics.not_owner.increment(1);
                let message = format!(
                    "the call was forwarded to worker {}, which takes {} for the owner; refresh the ring",
                    self.config.id, owner.id
                );
                Err(Refusal::new(Reason::NotOwner, message).with_ring(view.version()))
            }
            None => {
                let message = "there is no active worker; try again when one has joined";
                Err(Refusal::new(Reason::NoWorkers, message).with_ring(view.version()))
            }
        }
    }
}

/// Whether a caller's ring is, or was, that of the view. One that the caller does not name counts as seen.
fn has_seen(view: &View, routing: Option<&Routing>) -> bool {
    let version = routing.map_or(0, |routing| routing.ring_version);
    version == 0 || view.history().versions().any(|seen| seen.as_u64() == version)
}
