//! All sessions of one worker: found by id, by user, by group and by the link they hang on.
//!
//! A session is in every index or in none. What a change means for the outside is pushed onto the caller's list of
//! [`Directive`]s; the caller carries them out before anyone else changes the table, so that what two callers send to
//! one session arrives in the order in which the table saw it.

mod client;
mod groups;
mod link;
mod list;
mod mailbox;
#[cfg(test)]
mod mailbox_tests;
mod place;
mod send;
#[cfg(test)]
mod tests;
mod watches;

use std::collections::{BTreeSet, HashMap};

use rustc_hash::{FxHashMap, FxHashSet};
use slab::Slab;

pub use client::Speaker;
pub use link::deliver_cost_bytes;
pub use list::Filter;
pub use mailbox::MailboxPage;
pub(crate) use place::Claim;
pub use place::{Attached, ResumeError};
pub use send::Reach;
pub use watches::TooManyWatches;

use self::link::Link;
use self::watches::Watches;
use crate::close::CloseCode;
use crate::directive::{Address, Directive, LinkId};
use crate::ended::{End, EndedSession};
use crate::id::SessionId;
use crate::moment::Moment;
use crate::name::{GroupId, UserId};
use crate::permissions::LastGiven;
use crate::policy::{OnConflict, Policy};
use crate::recent::Lately;
use crate::session::{Opening, Place, Session, SessionView};
use crate::state::SessionState;

/// Why a session is closed for a newer one.
const REPLACED: &str = "a newer session of this user took its place";

/// The position of a session in the slab.
type Key = usize;

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The table is full.
    #[error("this worker holds {max} sessions, as many as it may; try again later")]
    Full {
        /// The bound.
        max: usize,
    },
    /// The user is at the bound and the policy is to refuse.
    #[error("the user has {max} sessions, as many as one user may have; close one first")]
    TooManySessions {
        /// The bound.
        max: usize,
    },
    /// The token names too many groups.
    #[error("the token names {groups} groups; a session may be in {max}")]
    TooManyGroups {
        /// How many it names.
        groups: usize,
        /// The bound.
        max: usize,
    },
    /// The id or the channel is in use: a defect of the gateway.
    #[error("the session id or channel is in use")]
    InUse,
}

/// Which sessions an operation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One session.
    Session(SessionId),
    /// All sessions of a user.
    User(UserId),
}

/// The sessions of one worker.
#[derive(Debug)]
pub struct SessionTable {
    policy: Policy,
    sessions: Slab<Session>,
    by_id: FxHashMap<SessionId, Key>,
    by_user: HashMap<UserId, Vec<Key>>,
    by_group: HashMap<GroupId, FxHashSet<Key>>,
    by_link: FxHashMap<LinkId, Link>,
    /// Users whom clients watch.
    watches: Watches,
    /// The sessions without a client, by the end of their wait for it.
    waits: BTreeSet<(Moment, SessionId)>,
    /// What was sent to many.
    lately: Lately,
    /// Until when sessions remember what they are given of it; the beginning of time if none does.
    remember_until: Moment,
    /// When they were asked last to forget what is old.
    forgot_old_at: Moment,
    /// How many sessions were opened so far.
    opened: u64,
    permissions: LastGiven,
}

impl SessionTable {
    /// An empty table.
    pub fn new(policy: Policy) -> Self {
        SessionTable {
            policy,
            sessions: Slab::new(),
            by_id: FxHashMap::default(),
            by_user: HashMap::new(),
            by_group: HashMap::new(),
            by_link: FxHashMap::default(),
            watches: Watches::default(),
            waits: BTreeSet::new(),
            lately: Lately::default(),
            remember_until: Moment::default(),
            forgot_old_at: Moment::default(),
            opened: 0,
            permissions: LastGiven::default(),
        }
    }

    /// Adds a session, closing others of its user where the policy says so.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing has changed.
    pub fn open(&mut self, opening: Opening, out: &mut Vec<Directive>) -> Result<(), OpenError> {
        self.open_beside(0, opening, out)
    }

    /// The same while so many sessions of the user are on their way here.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing has changed.
    pub(crate) fn open_beside(
        &mut self,
        expected: usize,
        opening: Opening,
        out: &mut Vec<Directive>,
    ) -> Result<(), OpenError> {
        self.check_opening(&opening)?;
        self.make_room_for(&opening.user, expected, out)?;
        let groups = opening.groups.clone();
        self.opened += 1;
        let key = self.insert(Session::new(opening, self.opened), out);
        for group in groups {
            self.add_member(key, &group, out);
        }
        self.open_mailbox(key, out);
        Ok(())
    }

    /// Forgets the session whose socket is gone, if it is still the one at that address.
    pub fn gone(&mut self, address: Address, out: &mut Vec<Directive>) -> Option<SessionId> {
        let key = self.at(address)?;
        let session = self.remove(key, out);
        self.tell_end(&session, End::ClientLeft, out);
        Some(session.id)
    }

    /// Closes sessions and forgets them. Gives back how many.
    pub fn close(
        &mut self,
        target: &Target,
        code: CloseCode,
        reason: &str,
        out: &mut Vec<Directive>,
    ) -> usize {
        let keys = self.keys_of(target);
        for &key in keys.iter().rev() {
            self.close_key(key, code, reason, out);
        }
        keys.len()
    }

    /// Closes every session and forgets it. Gives back how many.
    pub fn close_all(&mut self, code: CloseCode, reason: &str, out: &mut Vec<Directive>) -> usize {
        let keys: Vec<Key> = self.sessions.iter().map(|(key, _)| key).collect();
        for &key in &keys {
            self.close_key(key, code, reason, out);
        }
        keys.len()
    }

    /// One session as it is now.
    pub fn session(&self, id: SessionId) -> Option<SessionView> {
        self.by_id.get(&id).map(|&key| self.sessions[key].view())
    }

    /// The state of one session as it would travel.
    pub fn state(&self, id: SessionId) -> Option<SessionState> {
        self.by_id.get(&id).map(|&key| self.sessions[key].state(&self.lately))
    }

    /// All sessions with their users.
    pub fn ids(&self) -> impl Iterator<Item = (SessionId, &UserId)> {
        self.sessions.iter().map(|(_, session)| (session.id, &session.user))
    }

    /// A user's sessions.
    pub(crate) fn ids_of(&self, user: &UserId) -> impl Iterator<Item = SessionId> {
        self.by_user.get(user).into_iter().flatten().map(|key| self.sessions[*key].id)
    }

    /// All sessions with the hashes of their users, and their terms.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (SessionId, u64, u64)> {
        self.sessions.iter().map(|(_, session)| (session.id, session.user_hash, session.term))
    }

    /// The session at an address.
    pub fn id_at(&self, address: Address) -> Option<SessionId> {
        self.at(address).map(|key| self.sessions[key].id)
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// How many users have sessions here.
    pub fn users(&self) -> usize {
        self.by_user.len()
    }

    /// How many groups have members here.
    pub fn groups(&self) -> usize {
        self.by_group.len()
    }

    fn check_opening(&self, opening: &Opening) -> Result<(), OpenError> {
        let max = self.policy.groups_per_session_max;
        if opening.groups.len() > max {
            return Err(OpenError::TooManyGroups { groups: opening.groups.len(), max });
        }
        if self.by_id.contains_key(&opening.id) || self.at(opening.address).is_some() {
            return Err(OpenError::InUse);
        }
        Ok(())
    }

    /// Applies the bounds of the table and of the user, before a new session of this user, while so many others are on their way
    /// here. Which of all is the oldest turns out when those [arrive](SessionTable::keep_to_bound).
    fn make_room_for(
        &mut self,
        user: &UserId,
        expected: usize,
        out: &mut Vec<Directive>,
    ) -> Result<(), OpenError> {
        let mut present = self.by_opening(user);
        let leaving: &[Key] = match self.policy.per_user {
            Some((max, OnConflict::Refuse)) if present.len() + expected >= max => {
                return Err(OpenError::TooManySessions { max });
            }
            Some((max, OnConflict::ReplaceOldest)) => {
                present.truncate((present.len() + 1).saturating_sub(max.max(1)));
                &present
            }
            _ => &[],
        };
        let max = self.policy.sessions_max;
        if self.sessions.len() - leaving.len() >= max {
            return Err(OpenError::Full { max });
        }
        for &key in leaving {
            self.close_key(key, CloseCode::REPLACED, REPLACED, out);
        }
        Ok(())
    }

    /// A session has come from elsewhere: if its user has too many now, those are closed that the policy would not have let
    /// stay or in, had they all been opened here.
    pub(super) fn keep_to_bound(&mut self, user: &UserId, out: &mut Vec<Directive>) {
        let Some((max, on_conflict)) = self.policy.per_user else { return };
        let present = self.by_opening(user);
        let surplus = present.len().saturating_sub(max.max(1));
        let (leaving, code, reason) = match on_conflict {
            OnConflict::ReplaceOldest => (&present[..surplus], CloseCode::REPLACED, REPLACED),
            OnConflict::Refuse => {
                let stays = present.len() - surplus;
                (
                    &present[stays..],
                    CloseCode::TRY_AGAIN_LATER,
                    "the user has other sessions, as many as allowed",
                )
            }
        };
        for &key in leaving {
            self.close_key(key, code, reason, out);
        }
    }

    /// A user's sessions by the time at which they were opened, wherever that was.
    fn by_opening(&self, user: &UserId) -> Vec<Key> {
        let mut keys = self.by_user.get(user).cloned().unwrap_or_default();
        keys.sort_by_key(|key| self.sessions[*key].opened_at_ms());
        keys
    }

    fn insert(&mut self, mut session: Session, out: &mut Vec<Directive>) -> Key {
        session.spread_before = self.lately.count();
        session.permissions = self.permissions.share(session.permissions);
        let (id, user, place) = (session.id, session.user.clone(), session.place);
        let key = self.sessions.insert(session);
        self.by_id.insert(id, key);
        self.by_user.entry(user.clone()).or_insert_with(|| Vec::with_capacity(1)).push(key);
        out.push(Directive::SessionsChanged(user));
        self.index_place(key, id, place);
        key
    }

    fn close_key(&mut self, key: Key, code: CloseCode, reason: &str, out: &mut Vec<Directive>) {
        let session = self.remove(key, out);
        if let Place::Attached(address) = session.place {
            out.push(Directive::Close { address, code, reason: reason.to_owned() });
        }
        // With this code only copies are closed: the session goes on.
        if code != CloseCode::RESUMED {
            self.tell_end(&session, End::Closed(code), out);
        }
    }

    /// Whether the end of each session is directed.
    pub(crate) fn tells_ends(&self) -> bool {
        self.policy.tell_ends
    }

    pub(super) fn tell_end(&self, session: &Session, end: End, out: &mut Vec<Directive>) {
        if self.policy.tell_ends {
            out.push(Directive::Ended(Box::new(EndedSession::new(session, end))));
        }
    }

    /// Takes a session out of every index. Its groups stay with it.
    fn remove(&mut self, key: Key, out: &mut Vec<Directive>) -> Session {
        let session = self.sessions.remove(key);
        self.by_id.remove(&session.id);
        self.remove_from_user(key, &session);
        out.push(Directive::SessionsChanged(session.user.clone()));
        self.end_watches(key, &session, out);
        for group in &session.groups {
            self.remove_member(key, group, out);
        }
        self.forget_place(session.id, session.place);
        if session.foreign {
            out.push(Directive::Released { session: session.id });
        }
        session
    }

    /// A user's sessions stand in the order in which they came, so one of many is found quickly.
    fn remove_from_user(&mut self, key: Key, session: &Session) {
        let Some(keys) = self.by_user.get_mut(&session.user) else { return };
        let sessions = &self.sessions;
        // The session itself is not in the slab any more.
        let sequence = |other: Key| sessions.get(other).map_or(session.sequence, |other| other.sequence);
        if let Ok(position) = keys.binary_search_by_key(&session.sequence, |&other| sequence(other)) {
            debug_assert_eq!(keys[position], key);
            keys.remove(position);
        }
        if keys.is_empty() {
            self.by_user.remove(&session.user);
        }
    }

    fn at(&self, address: Address) -> Option<Key> {
        self.by_link.get(&address.link)?.channels.get(&address.channel).copied()
    }

    fn keys_of(&self, target: &Target) -> Vec<Key> {
        match target {
            Target::Session(id) => self.by_id.get(id).copied().into_iter().collect(),
            Target::User(user) => self.by_user.get(user).cloned().unwrap_or_default(),
        }
    }
}
