//! The task that finds workers for homeless sessions.

use std::sync::Arc;
use std::time::Duration;

use ringway_cluster::Views;
use tokio::time::MissedTickBehavior;

use super::moves::{Moves, Slot};
use super::trip::Outcome;
use crate::config::Routing;
use crate::link::{Links, Seat};

/// How often those on the way are looked at, if there are any: all waits for them are as exact as that.
const SWEEP_INTERVAL: Duration = Duration::from_millis(50);
/// After how many sessions in a row other tasks have their turn.
const TURN: usize = 256;

/// Asks owners for places. When it is dropped, whoever is on the way is told to reconnect.
pub(crate) struct MoverTask {
    pub(crate) moves: Arc<Moves>,
    pub(crate) views: Views,
    pub(crate) links: Arc<Links>,
    pub(crate) routing: Routing,
}

impl MoverTask {
    pub(crate) async fn run(self) {
        let (mut views, mut links) = (self.views.subscribe(), self.links.subscribe());
        let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.place_all().await;
            tokio::select! {
                biased;
                now = ticks.tick(), if !self.moves.is_empty() => self.moves.sweep(now),
                // An error means that there will be no news from there.
                Ok(()) = views.changed() => self.moves.rouse(),
                Ok(()) = links.changed() => self.moves.rouse(),
                () = self.moves.changed() => {}
            }
        }
    }

    /// Asks for a place for everybody who is ready, as far as there is room.
    async fn place_all(&self) {
        for count in 1_usize.. {
            let Some((seat, slot)) = self.moves.next() else { return };
            self.place(&seat, slot);
            if count % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Asks the owner of a session's user for a place.
    fn place(&self, seat: &Arc<Seat>, slot: Slot) {
        let view = self.views.current();
        let owner = view.owner(seat.user());
        if let (Routing::OnlyHere(here), Some(owner)) = (&self.routing, owner)
            && *here != owner.id
        {
            return seat.abandon(Outcome::Elsewhere);
        }
        let link = owner.and_then(|owner| self.links.to(&owner.id));
        if link.is_none_or(|link| link.reopen(seat, slot).is_err()) {
            seat.try_later();
        }
    }
}

impl Drop for MoverTask {
    fn drop(&mut self) {
        self.moves.close();
    }
}
