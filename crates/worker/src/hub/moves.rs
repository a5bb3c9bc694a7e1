//! Sessions that leave.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ringway_ring::MemberId;
use ringway_session::{Address, SessionId, SessionState};

use super::{Denied, Hub};

/// A session without a gateway that is to be brought to its owner.
#[derive(Debug)]
pub(crate) struct HandOver {
    pub(crate) to: MemberId,
    pub(crate) state: SessionState,
    pub(crate) resumable_for: Duration,
}

/// How many sessions a worker still has to do with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remaining {
    pub(crate) here: usize,
    pub(crate) on_the_way: usize,
}

impl Hub {
    /// Lets up to `sessions_max` sessions begin to leave. Gives back how many do.
    pub(crate) fn begin_moves(&self, sessions_max: usize) -> usize {
        let now = self.clock.now();
        self.act(|state, out| state.shard.begin_moves(sessions_max, now, out))
    }

    /// Whether sessions wait to leave.
    pub(crate) fn has_moves(&self) -> bool {
        self.state.lock().shard.has_moves()
    }

    /// Waits until sessions may leave. Cancel-safe.
    pub(crate) async fn movable(&self) {
        self.state.movable().await;
    }

    /// A gateway lets go of a session.
    pub(crate) fn detach(&self, address: Address) -> Option<SessionId> {
        let now = self.clock.now();
        self.change(|shard, out| shard.detach(address, now, out))
    }

    /// A session that was detached is open elsewhere.
    pub(crate) fn arrived(&self, address: Address) {
        let now = self.clock.now();
        self.change(|shard, out| shard.arrived(address, now, out));
    }

    /// The next session to be brought to its owner. Cancel-safe.
    pub(crate) async fn next_hand_over(&self) -> HandOver {
        loop {
            if let Some(next) = self.state.lock().hand_overs.pop_front() {
                return next;
            }
            self.to_hand_over.notified().await;
        }
    }

    /// Its owner has it.
    pub(crate) fn handed_over(&self, id: SessionId) {
        let now = self.clock.now();
        self.change(|shard, out| shard.handed_over(id, now, out));
    }

    /// Its owner does not take it (yet).
    pub(crate) fn hand_over_failed(&self, failed: HandOver) {
        let now = self.clock.now();
        let HandOver { state, resumable_for, .. } = failed;
        self.change(|shard, out| shard.hand_over_failed(state, resumable_for, now, out));
    }

    /// Takes over a session that has no gateway.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn take_over(
        &self,
        state: SessionState,
        resumable_for: Duration,
    ) -> Result<SessionId, Denied> {
        let id = state.id;
        let taken = self.begin(|state_of, now, out| {
            state_of.shard.take_over(state, now + resumable_for, now, out).map(|()| id)
        })?;
        self.metrics.arrived.fetch_add(1, Ordering::Relaxed);
        Ok(taken)
    }

    /// How many sessions this worker still has to do with.
    pub(crate) fn remaining(&self) -> Remaining {
        let state = self.state.lock();
        Remaining { here: state.shard.table().len(), on_the_way: state.shard.in_transit() }
    }
}
