//! The watcher's half: whom to ask of which users, and what is news.
//!
//! `wanted -> asked -> heard -> told`. Each user is asked for at the owner by the present ring, and only that owner's word
//! counts. When the owner changes, the next one is asked, and what was told stays told until it says otherwise. When the
//! stream to an owner breaks, its worker may have died: then an "offline" of whoever was online counts only after a grace, in
//! which the user may come back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ringway_ring::{MemberId, Ring};

use super::line::Line;
use crate::moment::Moment;
use crate::name::UserId;

/// Whom a watcher watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those who are named.
    Named,
    /// Everybody who is online, and those who are named.
    Everyone,
}

/// What an owner is to be told next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// Users to watch from now on.
    pub watch: Vec<UserId>,
    /// Users to watch no more.
    pub unwatch: Vec<UserId>,
}

/// What an owner has said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Users, and whether they are online.
    pub changes: Vec<(UserId, bool)>,
    /// Whether this is all that it was asked for.
    pub complete: bool,
    /// How many questions for users that is the answer to.
    pub heard: u64,
}

/// What there is to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Users, and whether they are online.
    pub changes: Vec<(UserId, bool)>,
    /// Whether every owner has said all that it was asked.
    pub complete: bool,
    /// The owners that cannot be asked at present, sorted.
    pub unreached: Vec<MemberId>,
}

/// Many watched users.
#[derive(Debug)]
pub struct Watching {
    scope: Scope,
    grace: Duration,
    ring: Arc<Ring>,
    users: HashMap<UserId, Watched>,
    sources: BTreeMap<MemberId, Source>,
    /// Users of whom there may be something to tell.
    due: Line,
    /// Users whose "offline" does not count before that moment.
    held: BTreeSet<(Moment, UserId)>,
    /// Whether everything was complete, and who could not be asked, when news were taken last.
    shown: Option<(bool, Vec<MemberId>)>,
}

#[derive(Debug, Default)]
struct Watched {
    /// Whether somebody named the user.
    is_named: bool,
    /// The owner, by the present ring.
    owner: Option<MemberId>,
    /// What the owner has said since it was asked.
    heard: Option<bool>,
    /// What was told last.
    told: Option<bool>,
    /// Until when an "offline" does not count.
    grace_until: Option<Moment>,
}

/// An owner that is asked.
#[derive(Debug, Default)]
struct Source {
    state: SourceState,
    users: usize,
    /// How often it was asked for users, on the present stream.
    asked: u64,
    to_watch: Line,
    to_unwatch: Line,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SourceState {
    /// No stream was open yet.
    #[default]
    New,
    /// The stream broke.
    Lost,
    /// It is open, and the owner has something to say.
    Listing,
    /// The owner has said everything.
    Complete,
}

impl Watching {
    /// Nobody is watched yet but everybody, if the scope says so. `grace` is for how long a user whose worker has died may come
    /// back before it counts as offline.
    pub fn new(scope: Scope, grace: Duration, ring: Arc<Ring>) -> Self {
        let (users, sources) = (HashMap::new(), BTreeMap::new());
        let (due, held) = (Line::default(), BTreeSet::new());
        let mut watching = Watching { scope, grace, ring, users, sources, due, held, shown: None };
        watching.keep_sources();
        watching
    }

    /// How many users are known: those that are named, and of everybody those who are online.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Watches a user.
    pub fn watch(&mut self, user: &UserId) {
        if let Some(watched) = self.users.get_mut(user) {
            watched.is_named = true;
            return;
        }
        self.users.insert(user.clone(), Watched { is_named: true, ..Watched::default() });
        self.ask_owner_of(user);
    }

    /// Watches a user no more.
    pub fn unwatch(&mut self, user: &UserId) {
        let Some(watched) = self.users.get_mut(user) else { return };
        watched.is_named = false;
        match self.scope {
            Scope::Named => self.forget(user),
            // Who is offline is forgotten, once that is told.
            Scope::Everyone => self.due.push(user),
        }
    }

    /// Goes by a new ring from now on.
    pub fn ring_changed(&mut self, ring: Arc<Ring>) {
        self.ring = ring;
        let has_moved = |(user, watched): (&UserId, &Watched)| {
            (self.ring.owner(user.as_str()) != watched.owner.as_ref()).then(|| user.clone())
        };
        let moved: Vec<UserId> = self.users.iter().filter_map(has_moved).collect();
        moved.iter().for_each(|user| self.ask_owner_of(user));
        self.keep_sources();
    }

    /// The owners to which a stream is needed.
    pub fn owners(&self) -> impl Iterator<Item = &MemberId> {
        self.sources.keys()
    }

    /// A stream to an owner begins: it is asked for all its users.
    pub fn begin(&mut self, owner: &MemberId) {
        let Some(source) = self.sources.get_mut(owner) else { return };
        source.state = SourceState::Listing;
        source.asked = 0;
        source.to_unwatch.clear();
        for (user, watched) in
            self.users.iter_mut().filter(|(_, watched)| watched.owner.as_ref() == Some(owner))
        {
            watched.heard = None;
            source.to_watch.push(user);
        }
    }

    /// What the owner is to be told next, of at most so many users; nothing if there is nothing.
    pub fn next_asking(&mut self, owner: &MemberId, users_max: usize) -> Option<Asking> {
        let source = self.sources.get_mut(owner)?;
        let watch = source.to_watch.take(users_max);
        let unwatch = source.to_unwatch.take(users_max - watch.len());
        if watch.is_empty() && unwatch.is_empty() {
            return None;
        }
        if !watch.is_empty() {
            source.asked += 1;
            source.state = SourceState::Listing;
        }
        Some(Asking { watch, unwatch })
    }

    /// An owner has said whether users are online, and perhaps that this is all for now.
    pub fn said(&mut self, owner: &MemberId, said: Answer, now: Moment) {
        let Answer { changes, complete, heard } = said;
        for (user, online) in changes {
            self.hear(owner, &user, online, now);
        }
        if let Some(source) = self.sources.get_mut(owner) {
            let is_complete = complete && heard == source.asked;
            source.state = if is_complete { SourceState::Complete } else { SourceState::Listing };
        }
    }

    /// The stream to an owner has broken, or could not be opened.
    pub fn lost(&mut self, owner: &MemberId, now: Moment) {
        let Some(source) = self.sources.get_mut(owner) else { return };
        source.state = SourceState::Lost;
        source.to_watch.clear();
        source.to_unwatch.clear();
        let until = now + self.grace;
        for watched in self.users.values_mut().filter(|watched| watched.owner.as_ref() == Some(owner)) {
            watched.heard = None;
            if watched.told == Some(true) {
                watched.grace_until.get_or_insert(until);
            }
        }
    }

    /// When something is to be done next without anything being heard.
    pub fn next_expiry(&self) -> Option<Moment> {
        self.held.first().map(|(until, _)| *until)
    }

    /// Those whose grace is over and who have not come back are offline.
    pub fn expire(&mut self, now: Moment) {
        while let Some((until, _)) = self.held.first()
            && *until <= now
            && let Some((_, user)) = self.held.pop_first()
        {
            if let Some(watched) = self.users.get_mut(&user) {
                watched.grace_until = None;
                self.due.push(&user);
            }
        }
    }

    /// What there is to tell, of at most so many users; nothing if there is nothing new.
    pub fn take_news(&mut self, users_max: usize) -> Option<News> {
        let mut changes = Vec::new();
        while changes.len() < users_max
            && let Some(user) = self.due.pop()
        {
            changes.extend(self.tell(&user).map(|online| (user, online)));
        }
        let complete = self.due.is_empty() && self.is_complete();
        let news = News { changes, complete, unreached: self.unreached() };
        let shown = self.shown.replace((news.complete, news.unreached.clone()));
        let is_new = !news.changes.is_empty() || shown.as_ref() != self.shown.as_ref();
        is_new.then_some(news)
    }

    /// One who is not the owner by our ring may act by a newer one: whoever is online there is noticed, and asked for where we
    /// take the owner to be. Its "offline" says nothing.
    fn hear(&mut self, owner: &MemberId, user: &UserId, online: bool, now: Moment) {
        if !self.users.contains_key(user) {
            if self.scope == Scope::Named || !online {
                return;
            }
            self.users.insert(user.clone(), Watched::default());
            self.place(user);
        }
        // Also of one who is known: otherwise an earlier "offline" of the owner by our ring would count.
        if online && self.scope == Scope::Everyone && self.owner_of(user) != Some(owner) {
            self.ask_owner_of(user);
        }
        let Some(watched) = self.users.get_mut(user).filter(|watched| watched.owner.as_ref() == Some(owner))
        else {
            return;
        };
        watched.heard = Some(online);
        let grace = watched.grace_until.filter(|until| now < *until && watched.told == Some(true));
        match grace {
            Some(until) if !online => _ = self.held.insert((until, user.clone())),
            _ => {
                if let Some(until) = watched.grace_until.take() {
                    self.held.remove(&(until, user.clone()));
                }
                self.due.push(user);
            }
        }
    }

    /// Whether something is to be told of a user: then it is told by that.
    fn tell(&mut self, user: &UserId) -> Option<bool> {
        let watched = self.users.get_mut(user)?;
        let online = watched.heard?;
        if !online && watched.grace_until.is_some() {
            return None;
        }
        let former = watched.told.replace(online);
        if !online && !watched.is_named {
            self.forget(user);
            return (former == Some(true)).then_some(false);
        }
        (former != Some(online)).then_some(online)
    }

    fn owner_of(&self, user: &UserId) -> Option<&MemberId> {
        self.users.get(user)?.owner.as_ref()
    }

    /// Puts a user to its owner by the present ring.
    fn place(&mut self, user: &UserId) {
        let owner = self.ring.owner(user.as_str()).cloned();
        let Some(watched) = self.users.get_mut(user) else { return };
        watched.heard = None;
        let former = std::mem::replace(&mut watched.owner, owner.clone());
        if let Some(source) = former.and_then(|former| self.sources.get_mut(&former)) {
            source.users -= 1;
            source.to_watch.remove(user);
            source.to_unwatch.push(user);
        }
        if let Some(owner) = owner {
            let source = self.sources.entry(owner).or_default();
            source.users += 1;
            source.to_unwatch.remove(user);
        }
    }

    /// Puts a user to its owner by the present ring, and asks it.
    fn ask_owner_of(&mut self, user: &UserId) {
        self.place(user);
        let owner = self.users.get(user).and_then(|watched| watched.owner.as_ref());
        if let Some(source) = owner.and_then(|owner| self.sources.get_mut(owner)) {
            source.to_watch.push(user);
        }
    }

    fn forget(&mut self, user: &UserId) {
        let Some(watched) = self.users.remove(user) else { return };
        if let Some(until) = watched.grace_until {
            self.held.remove(&(until, user.clone()));
        }
        if let Some(source) = watched.owner.and_then(|owner| self.sources.get_mut(&owner)) {
            source.users -= 1;
            source.to_watch.remove(user);
            source.to_unwatch.push(user);
        }
        self.keep_sources();
    }

    /// Keeps the owners that are needed.
    fn keep_sources(&mut self) {
        if self.scope == Scope::Everyone {
            for member in self.ring.active_members() {
                self.sources.entry(member.id.clone()).or_default();
            }
        }
        let (scope, ring) = (self.scope, &self.ring);
        let is_active = |id: &MemberId| ring.active_members().iter().any(|member| member.id == *id);
        self.sources.retain(|id, source| source.users > 0 || (scope == Scope::Everyone && is_active(id)));
    }

    fn is_complete(&self) -> bool {
        self.sources
            .values()
            .all(|source| source.state == SourceState::Complete && source.to_watch.is_empty())
    }

    fn unreached(&self) -> Vec<MemberId> {
        let lost = self.sources.iter().filter(|(_, source)| source.state == SourceState::Lost);
        lost.map(|(id, _)| id.clone()).collect()
    }
}
