//! Putting messages on their way to sessions.

use std::ops::AddAssign;

use rustc_hash::FxHashMap;
use slab::Slab;

use super::link::{Link, Releases};
use super::{Key, SessionTable};
use crate::close::CloseCode;
use crate::directive::{Address, Channel, Directive, LinkId};
use crate::id::SessionId;
use crate::message::Message;
use crate::name::{GroupId, UserId};
use crate::policy::Policy;
use crate::queue::{Pushed, Room};
use crate::recent::Before;
use crate::session::{Place, Session};

/// How many sessions a message was put on the way to, and how many not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Sessions that will receive it.
    pub sessions: u32,
    /// Sessions whose queue was full.
    pub overflowed: u32,
    /// Sessions without a client at present, with which it waits.
    pub suspended: u32,
    /// Sessions on their way from one worker to another that did not arrive in time.
    pub missed: u32,
}

impl AddAssign for Reach {
    fn add_assign(&mut self, other: Reach) {
        self.sessions += other.sessions;
        self.overflowed += other.overflowed;
        self.suspended += other.suspended;
        self.missed += other.missed;
    }
}

impl SessionTable {
    /// Sends to all sessions of a user.
    pub fn send_to_user(
        &mut self,
        user: &UserId,
        message: &Message,
        exclude: &[SessionId],
        out: &mut Vec<Directive>,
    ) -> Reach {
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, message);
        for &key in self.by_user.get(user).into_iter().flatten() {
            fanout.add(key, exclude);
        }
        let done = fanout.finish(out);
        self.close_slow(done, out)
    }

    /// Sends to all members of a group.
    pub fn send_to_group(
        &mut self,
        group: &GroupId,
        message: &Message,
        exclude: &[SessionId],
        out: &mut Vec<Directive>,
    ) -> Reach {
        let id_hash = message.id_hash();
        let before = self.lately.find(id_hash);
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, message);
        for &key in self.by_group.get(group).into_iter().flatten() {
            fanout.add_once(key, exclude, id_hash, before);
        }
        let done = fanout.finish(out);
        self.lately.note(id_hash, Some(group));
        self.close_slow(done, out)
    }

    /// Sends to every session.
    pub fn send_to_all(
        &mut self,
        message: &Message,
        exclude: &[SessionId],
        out: &mut Vec<Directive>,
    ) -> Reach {
        let id_hash = message.id_hash();
        let before = self.lately.find(id_hash);
        let keys: Vec<Key> = self.sessions.iter().map(|(key, _)| key).collect();
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, message);
        for key in keys {
            fanout.add_once(key, exclude, id_hash, before);
        }
        let done = fanout.finish(out);
        self.lately.note(id_hash, None);
        self.close_slow(done, out)
    }

    /// Sends to the session at an address, if there is one.
    pub fn send_to_address(
        &mut self,
        address: Address,
        message: &Message,
        out: &mut Vec<Directive>,
    ) -> Reach {
        let key = self.at(address);
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, message);
        if let Some(key) = key {
            fanout.add(key, &[]);
        }
        let done = fanout.finish(out);
        self.close_slow(done, out)
    }

    /// Sends to one session, wherever its client is, unless it has the message already.
    pub fn send_to_session(&mut self, id: SessionId, message: &Message, out: &mut Vec<Directive>) -> Reach {
        let Some(&key) = self.by_id.get(&id) else { return Reach::default() };
        let id_hash = message.id_hash();
        let before = self.lately.find(id_hash);
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, message);
        fanout.add_once(key, &[], id_hash, before);
        let done = fanout.finish(out);
        if let Some(recent) = &mut self.sessions[key].recent {
            recent.add([self.lately.given_now(id_hash)]);
        }
        self.close_slow(done, out)
    }

    /// Takes note of bytes that have left the gateway for sessions' clients, and sends what waited for that.
    pub fn written(
        &mut self,
        link: LinkId,
        reports: impl IntoIterator<Item = (Channel, u64)>,
        out: &mut Vec<Directive>,
    ) {
        let Some(state) = self.by_link.get_mut(&link) else { return };
        let mut releases = Releases::new(link, state, &self.policy);
        let mut readers = Vec::new();
        for (channel, bytes) in reports {
            if let Some(key) = releases.key_of(channel) {
                let session = &mut self.sessions[key];
                session.queue.written(bytes);
                releases.release(key, session);
                readers.extend(Self::is_to_read_on(session).then_some(key));
            }
        }
        releases.finish(out);
        readers.into_iter().for_each(|key| self.read_on(key, out));
    }

    /// Takes note that a link's stream has taken messages of this cost ([`deliver_cost_bytes`](crate::deliver_cost_bytes)), and sends what waited
    /// for that.
    pub fn taken(&mut self, link: LinkId, bytes: u64, out: &mut Vec<Directive>) {
        let Some(state) = self.by_link.get_mut(&link) else { return };
        state.taken(bytes);
        let mut releases = Releases::new(link, state, &self.policy);
        releases.release_line(&mut self.sessions);
        releases.finish(out);
    }

    /// Whether a link takes no more now, so that who sends should wait.
    pub fn is_crowded(&self, link: LinkId) -> bool {
        self.by_link.get(&link).is_some_and(|link| link.room(&self.policy) == Room::Full)
    }

    pub(super) fn close_slow(&mut self, (reach, slow): (Reach, Vec<Key>), out: &mut Vec<Directive>) -> Reach {
        for key in slow {
            self.close_key(key, CloseCode::TRY_AGAIN_LATER, "too slow to take its messages", out);
        }
        reach
    }
}

/// One message on its way to many sessions: the receivers gathered for each link, so that it crosses a link once.
pub(super) struct Fanout<'a> {
    policy: &'a Policy,
    sessions: &'a mut Slab<Session>,
    by_link: &'a mut FxHashMap<LinkId, Link>,
    message: &'a Message,
    /// Links with receivers.
    links: Vec<LinkId>,
    slow: Vec<Key>,
    reach: Reach,
}

impl<'a> Fanout<'a> {
    pub(super) fn new(
        policy: &'a Policy,
        sessions: &'a mut Slab<Session>,
        by_link: &'a mut FxHashMap<LinkId, Link>,
        message: &'a Message,
    ) -> Self {
        let (links, slow) = (Vec::new(), Vec::new());
        Fanout { policy, sessions, by_link, message, links, slow, reach: Reach::default() }
    }

    pub(super) fn session(&mut self, key: Key) -> &mut Session {
        &mut self.sessions[key]
    }

    pub(super) fn add(&mut self, key: Key, exclude: &[SessionId]) {
        let session = &mut self.sessions[key];
        if exclude.contains(&session.id) {
            return;
        }
        let Place::Attached(Address { link: id, channel }) = session.place else {
            return self.add_suspended(key);
        };
        let Some(link) = self.by_link.get_mut(&id) else { return };
        match session.queue.push(self.message, link.room(self.policy), self.policy) {
            Pushed::Now(offset) => {
                self.reach.sessions += 1;
                if link.receivers.is_empty() && link.numbered.is_empty() {
                    self.links.push(id);
                }
                let receivers = if offset == 0 { &mut link.receivers } else { &mut link.numbered };
                receivers.add(channel, offset);
            }
            Pushed::Waiting => {
                self.reach.sessions += 1;
                link.line_up(key, session, self.policy);
            }
            Pushed::Dropped => self.reach.overflowed += 1,
            Pushed::Overflow => {
                self.reach.overflowed += 1;
                self.slow.push(key);
            }
        }
    }

    /// The same for a message that a session between two workers may have had from the other one, or from this one `before`.
    fn add_once(&mut self, key: Key, exclude: &[SessionId], id_hash: u64, before: Option<Before<'_>>) {
        let Session { recent, groups, spread_before, .. } = &self.sessions[key];
        let had_here = || before.is_some_and(|before| before.was_given_to(groups, *spread_before));
        let has_it = recent.as_ref().is_some_and(|recent| recent.has(id_hash) || had_here());
        if !has_it {
            self.add(key, exclude);
        }
    }

    fn add_suspended(&mut self, key: Key) {
        match self.sessions[key].queue.push(self.message, Room::Full, self.policy) {
            Pushed::Now(_) | Pushed::Waiting => self.reach.suspended += 1,
            Pushed::Dropped => self.reach.overflowed += 1,
            Pushed::Overflow => {
                self.reach.overflowed += 1;
                self.slow.push(key);
            }
        }
    }

    pub(super) fn finish(self, out: &mut Vec<Directive>) -> (Reach, Vec<Key>) {
        for id in self.links {
            let Some(link) = self.by_link.get_mut(&id) else { continue };
            let mut cost_bytes = 0;
            for receivers in [std::mem::take(&mut link.receivers), std::mem::take(&mut link.numbered)] {
                if receivers.is_empty() {
                    continue;
                }
                let payload = if receivers.number() { self.message.tail() } else { self.message.payload() };
                cost_bytes += receivers.cost_bytes(payload);
                out.push(receivers.deliver(id, payload.clone()));
            }
            link.charge(cost_bytes);
        }
        (self.reach, self.slow)
    }
}
