//! The owner's half: the streams over which users are watched here, and what is to be said on each.
//!
//! `asked -> due -> said`. Whoever is due is looked at when the stream takes more, so a stream that is slow is told the
//! newest state only, and what waits for it is never more than the users that it watches. A user of whom nothing can be said
//! yet is in doubt, and becomes due again and again until something can.

use std::collections::{HashMap, HashSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::line::Line;
use super::standing::Standing;
use super::watching::Scope;
use crate::name::UserId;

/// How many users may have changed after they were others' already, before a stream that watches everybody begins again.
const STRAYS_MAX: usize = 200_000;

/// One stream of a watcher, as the worker numbers them. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// What is to be said on a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Users, and whether they are online.
    pub changes: Vec<(UserId, bool)>,
    /// Whether something was said of everybody who was asked for, and nobody is due.
    pub complete: bool,
    /// How many questions that is the answer to.
    pub heard: u64,
    /// Whether nobody is due now.
    pub is_drained: bool,
    /// Whether so much was passed over that the stream is to end, and the watcher to begin again.
    pub is_void: bool,
}

/// All streams of watchers.
#[derive(Debug, Default)]
pub struct Announcements {
    streams: FxHashMap<WatchId, Stream>,
    /// Who asked for a user.
    by_user: HashMap<UserId, FxHashSet<WatchId>>,
    /// Who watches everybody.
    everyone: FxHashSet<WatchId>,
}

#[derive(Debug)]
struct Stream {
    scope: Scope,
    /// Those who were asked for, and what was said of each last. Of a stream that watches everybody: those of whom nothing
    /// firm was said yet.
    asked: HashMap<UserId, Option<bool>>,
    due: Line,
    doubtful: HashSet<UserId>,
    /// Users who changed when they were others' already. Should they be ours again before the watcher has noticed, it is to be said
    /// how they are.
    strays: HashSet<UserId>,
    /// How often it has asked.
    heard: u64,
    /// How far the worker's sessions are listed, for a stream that watches everybody.
    cursor: Option<usize>,
}

impl Announcements {
    /// A stream begins.
    pub fn begin(&mut self, id: WatchId, scope: Scope) {
        let cursor = (scope == Scope::Everyone).then_some(0);
        if scope == Scope::Everyone {
            self.everyone.insert(id);
        }
        let (asked, due) = (HashMap::new(), Line::default());
        let (doubtful, strays) = (HashSet::new(), HashSet::new());
        self.streams.insert(id, Stream { scope, asked, due, doubtful, strays, heard: 0, cursor });
    }

    /// A stream has ended.
    pub fn end(&mut self, id: WatchId) {
        self.everyone.remove(&id);
        let Some(stream) = self.streams.remove(&id) else { return };
        for user in stream.asked.keys() {
            forget(&mut self.by_user, user, id);
        }
    }

    /// A stream asks for users: their states are said, and from then on what changes. On a stream that watches everybody it is a
    /// question after each.
    pub fn watch(&mut self, id: WatchId, users: impl IntoIterator<Item = UserId>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.heard += 1;
        for user in users {
            self.by_user.entry(user.clone()).or_default().insert(id);
            stream.due.push(&user);
            // Who asks again does not know.
            stream.asked.insert(user, None);
        }
    }

    /// A stream asks for users no more.
    pub fn unwatch<'a>(&mut self, id: WatchId, users: impl IntoIterator<Item = &'a UserId>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        for user in users {
            if stream.asked.remove(user).is_some() {
                stream.doubtful.remove(user);
                forget(&mut self.by_user, user, id);
            }
        }
    }

    /// Something about a user may have changed. Gives back the streams that have something to look at.
    pub fn changed(&mut self, user: &UserId) -> Vec<WatchId> {
        let watchers = self.by_user.get(user).into_iter().flatten();
        let ids: Vec<WatchId> = watchers.chain(&self.everyone).copied().collect();
        for id in &ids {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.due.push(user);
            }
        }
        ids
    }

    /// Something may be known of those who are in doubt. Gives back the streams that have something to look at.
    pub fn look_again(&mut self) -> Vec<WatchId> {
        let mut ids = Vec::new();
        for (id, stream) in self.streams.iter_mut().filter(|(_, stream)| !stream.doubtful.is_empty()) {
            for user in stream.doubtful.drain() {
                stream.due.push(&user);
            }
            ids.push(*id);
        }
        ids
    }

    /// The ring has changed: what was known of those who were asked for may not hold any more.
    pub fn ring_changed(&mut self) -> Vec<WatchId> {
        for stream in self.streams.values_mut() {
            let strays = std::mem::take(&mut stream.strays);
            stream.asked.keys().chain(&strays).for_each(|user| stream.due.push(user));
        }
        self.streams.keys().copied().collect()
    }

    /// From where on the worker's sessions are still to be listed for a stream.
    pub fn cursor(&self, id: WatchId) -> Option<usize> {
        self.streams.get(&id)?.cursor
    }

    /// These users have sessions here; `next` is from where on others are to be listed.
    pub fn listed(&mut self, id: WatchId, users: impl IntoIterator<Item = UserId>, next: Option<usize>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.cursor = next;
        users.into_iter().for_each(|user| stream.due.push(&user));
    }

    /// What is to be said next on a stream, of at most so many users.
    pub fn take(&mut self, id: WatchId, users_max: usize, standing: impl Fn(&UserId) -> Standing) -> Said {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Said { is_drained: true, ..Said::default() };
        };
        let mut changes = Vec::new();
        for user in stream.due.take(users_max) {
            let standing = standing(&user);
            if let Some(online) = stream.look_at(&user, standing) {
                changes.push((user.clone(), online));
            }
            // The rest of its changes comes anyway.
            if stream.scope == Scope::Everyone && standing.is_firm() && stream.asked.remove(&user).is_some() {
                forget(&mut self.by_user, &user, id);
            }
        }
        let (complete, is_drained) = (stream.is_complete(), stream.is_drained());
        Said { changes, complete, heard: stream.heard, is_drained, is_void: stream.strays.len() > STRAYS_MAX }
    }

    /// How many streams there are.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }
}

impl Stream {
    fn is_complete(&self) -> bool {
        let is_said = |user: &UserId| self.asked.get(user).is_none_or(Option::is_some);
        self.is_drained() && self.doubtful.iter().all(is_said)
    }

    fn is_drained(&self) -> bool {
        self.due.is_empty() && self.cursor.is_none()
    }

    /// What is to be said of a user, if anything.
    fn look_at(&mut self, user: &UserId, standing: Standing) -> Option<bool> {
        let asked = self.asked.get_mut(user);
        let is_everyones = self.scope == Scope::Everyone && standing != Standing::NotOurs;
        if (asked.is_some() || is_everyones) && !standing.is_firm() {
            self.doubtful.insert(user.clone());
        }
        if asked.is_none() && self.scope == Scope::Everyone && standing == Standing::NotOurs {
            self.strays.insert(user.clone());
        }
        let online = standing.online()?;
        match asked {
            Some(said) => (said.replace(online) != Some(online)).then_some(online),
            // Nobody remembers what was said of everybody: the watcher does.
            None => (is_everyones && standing.is_firm()).then_some(online),
        }
    }
}

fn forget(by_user: &mut HashMap<UserId, FxHashSet<WatchId>>, user: &UserId, id: WatchId) {
    if let Some(ids) = by_user.get_mut(user) {
        ids.remove(&id);
        if ids.is_empty() {
            by_user.remove(user);
        }
    }
}
