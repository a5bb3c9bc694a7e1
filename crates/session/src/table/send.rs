//! Putting messages on their way to sessions.

use rustc_hash::FxHashMap;
use slab::Slab;

use super::link::{Link, Releases, deliver_cost_bytes};
use super::{Key, SessionTable};
use crate::close::CloseCode;
use crate::directive::{Address, Channel, Directive, LinkId};
use crate::id::SessionId;
use crate::name::{GroupId, UserId};
use crate::payload::Payload;
use crate::policy::Policy;
use crate::queue::{Pushed, Room};
use crate::session::Session;

/// How many sessions a message was put on the way to, and how many could not take it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Sessions that will receive it.
    pub sessions: u32,
    /// Sessions whose queue was full.
    pub overflowed: u32,
}

impl SessionTable {
    /// Sends to all sessions of a user.
    pub fn send_to_user(
        &mut self,
        user: &UserId,
        payload: &Payload,
        exclude: &[SessionId],
        out: &mut Vec<Directive>,
    ) -> Reach {
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, payload);
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
        payload: &Payload,
        exclude: &[SessionId],
        out: &mut Vec<Directive>,
    ) -> Reach {
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, payload);
        for &key in self.by_group.get(group).into_iter().flatten() {
            fanout.add(key, exclude);
        }
        let done = fanout.finish(out);
        self.close_slow(done, out)
    }

    /// Sends to every session.
    pub fn send_to_all(
        &mut self,
        payload: &Payload,
        exclude: &[SessionId],
        out: &mut Vec<Directive>,
    ) -> Reach {
        let keys: Vec<Key> = self.sessions.iter().map(|(key, _)| key).collect();
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, payload);
        for key in keys {
            fanout.add(key, exclude);
        }
        let done = fanout.finish(out);
        self.close_slow(done, out)
    }

    /// Sends to the session at an address, if there is one.
    pub fn send_to_address(
        &mut self,
        address: Address,
        payload: &Payload,
        out: &mut Vec<Directive>,
    ) -> Reach {
        let key = self.at(address);
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, payload);
        if let Some(key) = key {
            fanout.add(key, &[]);
        }
        let done = fanout.finish(out);
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
        for (channel, bytes) in reports {
            if let Some(key) = releases.key_of(channel) {
                let session = &mut self.sessions[key];
                session.queue.written(bytes);
                releases.release(key, session);
            }
        }
        releases.finish(out);
    }

    /// Takes note that a link's stream has taken messages of this cost ([`deliver_cost_bytes`]), and sends what waited
    /// for that.
    pub fn taken(&mut self, link: LinkId, bytes: u64, out: &mut Vec<Directive>) {
        let Some(state) = self.by_link.get_mut(&link) else { return };
        state.taken(bytes);
        let mut releases = Releases::new(link, state, &self.policy);
        releases.release_parked(&mut self.sessions);
        releases.finish(out);
    }

    /// Whether a link takes no more now, so that who sends should wait.
    pub fn is_crowded(&self, link: LinkId) -> bool {
        self.by_link.get(&link).is_some_and(|link| link.room(&self.policy) == Room::Full)
    }

    fn close_slow(&mut self, (reach, slow): (Reach, Vec<Key>), out: &mut Vec<Directive>) -> Reach {
        for key in slow {
            self.close_key(key, CloseCode::TRY_AGAIN_LATER, "too slow to take its messages", out);
        }
        reach
    }
}

/// One message on its way to many sessions: the receivers gathered for each link, so that it crosses a link once.
struct Fanout<'a> {
    policy: &'a Policy,
    sessions: &'a mut Slab<Session>,
    by_link: &'a mut FxHashMap<LinkId, Link>,
    payload: &'a Payload,
    /// Links with receivers.
    links: Vec<LinkId>,
    slow: Vec<Key>,
    reach: Reach,
}

impl<'a> Fanout<'a> {
    fn new(
        policy: &'a Policy,
        sessions: &'a mut Slab<Session>,
        by_link: &'a mut FxHashMap<LinkId, Link>,
        payload: &'a Payload,
    ) -> Self {
        let (links, slow) = (Vec::new(), Vec::new());
        Fanout { policy, sessions, by_link, payload, links, slow, reach: Reach::default() }
    }

    fn add(&mut self, key: Key, exclude: &[SessionId]) {
        let session = &mut self.sessions[key];
        if exclude.contains(&session.id) {
            return;
        }
        let Address { link: id, channel } = session.address;
        let Some(link) = self.by_link.get_mut(&id) else { return };
        match session.queue.push(self.payload, link.room(self.policy), self.policy) {
            Pushed::Now => {
                self.reach.sessions += 1;
                if link.receivers.is_empty() {
                    self.links.push(id);
                }
                link.receivers.push(channel.0);
            }
            Pushed::Waiting => {
                self.reach.sessions += 1;
                link.park(key, session, self.policy);
            }
            Pushed::Dropped => self.reach.overflowed += 1,
            Pushed::Overflow => {
                self.reach.overflowed += 1;
                self.slow.push(key);
            }
        }
    }

    fn finish(self, out: &mut Vec<Directive>) -> (Reach, Vec<Key>) {
        for id in self.links {
            let Some(link) = self.by_link.get_mut(&id) else { continue };
            let channels = std::mem::take(&mut link.receivers);
            link.charge(deliver_cost_bytes(self.payload.bytes().len(), channels.len()));
            out.push(Directive::Deliver { link: id, channels, payload: self.payload.clone() });
        }
        (self.reach, self.slow)
    }
}
