//! Users whom clients watch: who watches whom, and what each client was told last.
//!
//! A client is told the present state of whom it begins to watch, and after that each change once. It is told while there is
//! room on its link and in its window: one that is slow is told the newest state only, and what waits for it is never more than the users it watches.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::link::Receivers;
use super::{Key, SessionTable};
use crate::directive::{Address, Directive};
use crate::frame;
use crate::name::UserId;
use crate::queue::Room;
use crate::session::{Place, Session};
use crate::state::Watch;

/// Why a client does not watch more users. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session would watch {users} users; it may watch {max}")]
pub struct TooManyWatches {
    /// How many it would watch.
    pub users: usize,
    /// The bound.
    pub max: usize,
}

#[derive(Debug, Default)]
pub(super) struct Watches {
    by_watched: HashMap<UserId, Watched>,
    /// Sessions that are to be told of these users.
    due: FxHashMap<Key, FxHashSet<UserId>>,
}

#[derive(Debug, Default)]
struct Watched {
    watchers: FxHashSet<Key>,
    online: Option<bool>,
}

impl SessionTable {
    /// The client at an address watches these users from now on, beside those that it watches. Gives back whether there is such
    /// a session.
    ///
    /// # Errors
    /// [`TooManyWatches`].
    pub(crate) fn watch(
        &mut self,
        address: Address,
        users: &[UserId],
        out: &mut Vec<Directive>,
    ) -> Result<bool, TooManyWatches> {
        let Some(key) = self.at(address) else { return Ok(false) };
        let (watches, max) = (&self.sessions[key].watches, self.policy.watches_per_session_max);
        let fresh: FxHashSet<&UserId> =
            users.iter().filter(|user| position(watches, user).is_err()).collect();
        let users_after = watches.len() + fresh.len();
        if users_after > max {
            return Err(TooManyWatches { users: users_after, max });
        }
        for user in users {
            self.begin_watch(key, Watch { user: user.clone(), told: None }, out);
        }
        self.tell_checkpoint(key, out);
        self.tell_watchers(out);
        Ok(true)
    }

    /// The client at an address watches these users no more.
    pub(crate) fn unwatch(&mut self, address: Address, users: &[UserId], out: &mut Vec<Directive>) {
        let Some(key) = self.at(address) else { return };
        for user in users {
            let watches = &mut self.sessions[key].watches;
            if let Ok(position) = position(watches, user) {
                watches.remove(position);
                self.watches.remove(key, user, out);
            }
        }
        self.tell_checkpoint(key, out);
    }

    /// Whether users are online, for the clients that watch them.
    pub(crate) fn presence_changed(&mut self, changes: &[(UserId, bool)], out: &mut Vec<Directive>) {
        for (user, online) in changes {
            let Some(watched) = self.watches.by_watched.get_mut(user) else { continue };
            watched.online = Some(*online);
            for key in &watched.watchers {
                self.watches.due.entry(*key).or_default().insert(user.clone());
            }
        }
        self.tell_watchers(out);
    }

    /// Tells clients what they are to be told, as far as there is room on their links and in their windows.
    pub(crate) fn tell_watchers(&mut self, out: &mut Vec<Directive>) {
        let due = std::mem::take(&mut self.watches.due);
        for (key, users) in due {
            let later = self.tell_watcher(key, users, out);
            if !later.is_empty() {
                self.watches.due.insert(key, later);
            }
        }
    }

    /// How many users are watched here.
    pub fn watched(&self) -> usize {
        self.watches.by_watched.len()
    }

    /// A session comes with what it watches.
    pub(super) fn bring_watches(&mut self, key: Key, watches: Vec<Watch>, out: &mut Vec<Directive>) {
        let max = self.policy.watches_per_session_max;
        for watch in watches.into_iter().take(max) {
            self.begin_watch(key, watch, out);
        }
        self.tell_watchers(out);
    }

    /// What a session's client was told may not have reached it: it is told everything again.
    pub(super) fn watch_anew(&mut self, key: Key) {
        let watches = &mut self.sessions[key].watches;
        if !watches.is_empty() {
            watches.iter_mut().for_each(|watch| watch.told = None);
            self.watches.due.insert(key, watches.iter().map(|watch| watch.user.clone()).collect());
        }
    }

    /// The users' half of a session's end.
    pub(super) fn end_watches(&mut self, key: Key, session: &Session, out: &mut Vec<Directive>) {
        self.watches.due.remove(&key);
        for watch in &session.watches {
            self.watches.remove(key, &watch.user, out);
        }
    }

    /// Tells one client of these users. Gives back those for whom there is no room now. One that has no socket is told everything
    /// when it comes back.
    fn tell_watcher(
        &mut self,
        key: Key,
        mut users: FxHashSet<UserId>,
        out: &mut Vec<Directive>,
    ) -> FxHashSet<UserId> {
        let session = &mut self.sessions[key];
        let Place::Attached(address) = session.place else { return FxHashSet::default() };
        let Some(link) = self.by_link.get_mut(&address.link) else { return FxHashSet::default() };
        while !users.is_empty() && link.room(&self.policy) == Room::Free {
            let some: Vec<UserId> = users.iter().take(frame::PRESENCE_USERS_MAX).cloned().collect();
            let changes = self.watches.changes(&session.watches, &some);
            if !changes.is_empty() {
                let payload = frame::presence(&changes);
                if !session.queue.fly_aside(payload.cost_bytes(), &self.policy) {
                    break;
                }
                let mut receivers = Receivers::default();
                receivers.add(address.channel, 0);
                link.charge(receivers.cost_bytes(&payload));
                out.push(receivers.deliver(address.link, payload));
                note_told(&mut session.watches, &changes);
            }
            some.iter().for_each(|user| _ = users.remove(user));
        }
        users
    }

    fn begin_watch(&mut self, key: Key, watch: Watch, out: &mut Vec<Directive>) {
        let watches = &mut self.sessions[key].watches;
        let Err(position) = position(watches, &watch.user) else { return };
        let watched = self.watches.by_watched.entry(watch.user.clone()).or_insert_with(|| {
            out.push(Directive::WatchBegan(watch.user.clone()));
            Watched::default()
        });
        watched.watchers.insert(key);
        if watched.online.is_some() {
            self.watches.due.entry(key).or_default().insert(watch.user.clone());
        }
        watches.insert(position, watch);
    }
}

impl Watches {
    fn remove(&mut self, key: Key, user: &UserId, out: &mut Vec<Directive>) {
        let Some(watched) = self.by_watched.get_mut(user) else { return };
        watched.watchers.remove(&key);
        if watched.watchers.is_empty() {
            self.by_watched.remove(user);
            out.push(Directive::WatchEnded(user.clone()));
        }
    }

    /// What a client with these watches was not told of these users.
    fn changes(&self, watches: &[Watch], users: &[UserId]) -> Vec<(UserId, bool)> {
        let change = |user: &UserId| {
            let online = self.by_watched.get(user)?.online?;
            let watch = &watches[position(watches, user).ok()?];
            (watch.told != Some(online)).then(|| (user.clone(), online))
        };
        users.iter().filter_map(change).collect()
    }
}

fn note_told(watches: &mut [Watch], changes: &[(UserId, bool)]) {
    for (user, online) in changes {
        if let Ok(position) = position(watches, user) {
            watches[position].told = Some(*online);
        }
    }
}

fn position(watches: &[Watch], user: &UserId) -> Result<usize, usize> {
    watches.binary_search_by(|watch| watch.user.cmp(user))
}
