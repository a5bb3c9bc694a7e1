//! The state's lock. Whoever lets go of it while sessions wait to leave wakes those who let them leave: so no change of the
//! state can forget to.

use std::ops::{Deref, DerefMut};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::State;

/// The state behind its lock.
pub(super) struct Guarded {
    state: Mutex<State>,
    /// Fires when sessions may leave.
    movable: Notify,
}

/// The state for as long as nobody else has it.
pub(super) struct Locked<'a> {
    state: MutexGuard<'a, State>,
    movable: &'a Notify,
}

impl Guarded {
    pub(super) fn new(state: State) -> Self {
        Guarded { state: Mutex::new(state), movable: Notify::new() }
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { state: self.state.lock(), movable: &self.movable }
    }

    /// Waits until sessions may leave. Cancel-safe.
    pub(super) async fn movable(&self) {
        self.movable.notified().await;
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if self.state.shard.has_moves() {
            self.movable.notify_one();
        }
    }
}
