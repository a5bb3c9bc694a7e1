//! Who is online, for those who ask: streams of watchers, clients here that watch others, and the export.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ringway_session::presence::{Announcements, Said, Scope, Standing, WatchId};
use ringway_session::{Address, Moment, TooManyWatches, UserId};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use super::{Hub, State};
use crate::worker::Shared;

/// How many users are looked at, or listed, without letting others have the state.
const USERS_AT_ONCE_MAX: usize = 1_000;
/// How often users who are in doubt are looked at again when nothing says that something has changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Presences {
    announcements: Announcements,
    /// Those who serve the streams.
    wakers: FxHashMap<WatchId, Arc<Notify>>,
    next_stream: u64,
    /// Users to be followed for clients here, or no more.
    friends: HashMap<UserId, Friend>,
    /// Users whose sessions have changed since they were exported; nothing if nobody exports.
    to_export: Option<HashSet<UserId>>,
    /// When users who are in doubt are looked at again.
    look_at: Moment,
}

/// What becomes of a user, for the clients here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Friend {
    /// Somebody has begun to watch the user.
    Followed,
    /// Nobody watches the user any more.
    LeftAlone,
}

/// What there is to export of a user.
#[derive(Clone, Debug)]
pub(crate) struct Exported {
    pub(crate) user: UserId,
    pub(crate) standing: Standing,
    /// How many sessions are here, whatever can be said.
    pub(crate) here: u32,
}

/// A stream of somebody who watches our users. Dropping it ends it.
pub(crate) struct PresenceStream {
    shared: Arc<Shared>,
    id: WatchId,
    due: Arc<Notify>,
}

impl Presences {
    /// The number of a user's sessions has changed.
    pub(super) fn changed(&mut self, user: &UserId) {
        let ids = self.announcements.changed(user);
        self.wake(&ids);
        if let Some(to_export) = &mut self.to_export {
            to_export.insert(user.clone());
        }
    }

    /// Others own some of the users now, or we own others.
    pub(super) fn ring_changed(&mut self) {
        let ids = self.announcements.ring_changed();
        self.wake(&ids);
        self.look_soon();
    }

    /// Something may be known of users who are in doubt.
    pub(super) fn look_soon(&mut self) {
        self.look_at = Moment::default();
    }

    /// Lets users be looked at who are in doubt, if it is time.
    pub(super) fn look_again(&mut self, now: Moment) {
        if self.look_at <= now {
            self.look_at = now + LOOK_INTERVAL;
            let ids = self.announcements.look_again();
            self.wake(&ids);
        }
    }

    fn wake(&self, ids: &[WatchId]) {
        ids.iter().filter_map(|id| self.wakers.get(id)).for_each(|waker| waker.notify_one());
    }
}

impl Hub {
    /// What can be said of users.
    pub(crate) fn standings(&self, users: &[UserId]) -> Vec<Standing> {
        let mut standings = Vec::with_capacity(users.len());
        for some in users.chunks(USERS_AT_ONCE_MAX) {
            let (state, now) = (self.state.lock(), self.clock.now());
            standings.extend(some.iter().map(|user| state.shard.standing(user, now)));
        }
        standings
    }

    /// The client at an address watches these users from now on. Gives back whether there is such a session.
    ///
    /// # Errors
    /// [`TooManyWatches`]; then nothing has changed.
    pub(crate) fn watch(&self, address: Address, users: &[UserId]) -> Result<bool, TooManyWatches> {
        self.act(|state, out| state.shard.watch(address, users, out))
    }

    /// The client at an address watches these users no more.
    pub(crate) fn unwatch(&self, address: Address, users: &[UserId]) {
        self.act(|state, out| state.shard.unwatch(address, users, out));
    }

    /// Whether users are online, for the clients here that watch them.
    pub(crate) fn presence_changed(&self, changes: &[(UserId, bool)]) {
        self.act(|state, out| state.shard.presence_changed(changes, out));
        self.metrics.presence_watched.set(self.state.lock().shard.table().watched() as f64);
    }

    /// Users to be followed for clients here, or no more; waits until there are some. Cancel-safe.
    pub(crate) async fn friends(&self) -> HashMap<UserId, Friend> {
        loop {
            let friends = std::mem::take(&mut self.state.lock().presences.friends);
            if !friends.is_empty() {
                return friends;
            }
            self.to_follow.notified().await;
        }
    }

    /// From now on it is noted which users are to be exported.
    pub(crate) fn begin_export(&self) {
        self.state.lock().presences.to_export.get_or_insert_default();
    }

    /// Some of the users whose sessions have changed since they were exported.
    pub(crate) fn take_exports(&self) -> Vec<Exported> {
        let (mut state, now) = (self.state.lock(), self.clock.now());
        let State { presences, shard, .. } = &mut *state;
        let Some(to_export) = &mut presences.to_export else { return Vec::new() };
        let users: Vec<UserId> = to_export.iter().take(USERS_AT_ONCE_MAX).cloned().collect();
        let look_at = |user: UserId| {
            to_export.remove(&user);
            Exported { standing: shard.standing(&user, now), here: shard.table().sessions_of(&user), user }
        };
        users.into_iter().map(look_at).collect()
    }

    /// What there is to export of a user of whom that can be said.
    pub(crate) fn exported(&self, user: UserId, standing: Standing) -> Exported {
        let here = self.state.lock().shard.table().sessions_of(&user);
        Exported { user, standing, here }
    }

    /// These users are to be exported, again or later.
    pub(crate) fn export(&self, users: impl IntoIterator<Item = UserId>) {
        if let Some(to_export) = &mut self.state.lock().presences.to_export {
            to_export.extend(users);
        }
    }

    pub(super) fn follow(&self, state: &mut State, user: UserId, friend: Friend) {
        state.presences.friends.insert(user, friend);
        self.to_follow.notify_one();
    }
}

impl PresenceStream {
    /// Begins a stream of somebody who watches our users.
    pub(crate) fn begin(shared: &Arc<Shared>, scope: Scope) -> Self {
        let due = Arc::new(Notify::new());
        let mut state = shared.hub.state.lock();
        let presences = &mut state.presences;
        presences.next_stream += 1;
        let id = WatchId(presences.next_stream);
        presences.announcements.begin(id, scope);
        presences.wakers.insert(id, Arc::clone(&due));
        shared.hub.metrics.presence_streams.set(presences.announcements.len() as f64);
        drop(state);
        PresenceStream { shared: Arc::clone(shared), id, due }
    }

    /// Asks for users, and for others no more.
    pub(crate) fn ask(&self, watch: Vec<UserId>, unwatch: &[UserId]) {
        let mut state = self.shared.hub.state.lock();
        if !watch.is_empty() {
            state.presences.announcements.watch(self.id, watch);
        }
        state.presences.announcements.unwatch(self.id, unwatch);
    }

    /// What is to be said next.
    pub(crate) fn said(&self) -> Said {
        let hub = &self.shared.hub;
        let (mut state, now) = (hub.state.lock(), hub.clock.now());
        let State { presences, shard, .. } = &mut *state;
        if let Some(cursor) = presences.announcements.cursor(self.id) {
            let (users, next) = shard.table().page_of_users(cursor, USERS_AT_ONCE_MAX);
            presences.announcements.listed(self.id, users, next);
        }
        let standing = |user: &UserId| shard.standing(user, now);
        presences.announcements.take(self.id, USERS_AT_ONCE_MAX, standing)
    }

    /// Waits until there may be something to say. Cancel-safe.
    pub(crate) async fn due(&self) {
        self.due.notified().await;
    }
}

impl Drop for PresenceStream {
    fn drop(&mut self) {
        let mut state = self.shared.hub.state.lock();
        state.presences.announcements.end(self.id);
        state.presences.wakers.remove(&self.id);
        self.shared.hub.metrics.presence_streams.set(state.presences.announcements.len() as f64);
    }
}
