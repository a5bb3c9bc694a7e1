//! Putting messages on their way to sessions.

use super::{Key, SessionTable};
use crate::close::CloseCode;
use crate::directive::{Address, Directive, LinkId};
use crate::id::SessionId;
use crate::name::{GroupId, UserId};
use crate::payload::Payload;
use crate::policy::Policy;
use crate::queue::Pushed;
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
        let mut fanout = Fanout::new(&self.policy, payload, exclude);
        for &key in self.by_user.get(user).into_iter().flatten() {
            fanout.add(key, &mut self.sessions[key]);
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
        let mut fanout = Fanout::new(&self.policy, payload, exclude);
        for &key in self.by_group.get(group).into_iter().flatten() {
            fanout.add(key, &mut self.sessions[key]);
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
        let mut fanout = Fanout::new(&self.policy, payload, exclude);
        for (key, session) in &mut self.sessions {
            fanout.add(key, session);
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
        let mut fanout = Fanout::new(&self.policy, payload, &[]);
        let key = self.by_link.get(&address.link).and_then(|channels| channels.get(&address.channel));
        if let Some(&key) = key {
            fanout.add(key, &mut self.sessions[key]);
        }
        let done = fanout.finish(out);
        self.close_slow(done, out)
    }

    /// Takes note of bytes that have left the gateway for a session's client, and sends what waited for them.
    pub fn written(&mut self, address: Address, bytes: u64, out: &mut Vec<Directive>) {
        let Some(key) = self.at(address) else { return };
        self.sessions[key].queue.written(bytes, &self.policy, |payload| {
            out.push(Directive::Deliver { link: address.link, channels: vec![address.channel.0], payload });
        });
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
    payload: &'a Payload,
    exclude: &'a [SessionId],
    by_link: Vec<(LinkId, Vec<u64>)>,
    slow: Vec<Key>,
    reach: Reach,
}

impl<'a> Fanout<'a> {
    fn new(policy: &'a Policy, payload: &'a Payload, exclude: &'a [SessionId]) -> Self {
        Fanout { policy, payload, exclude, by_link: Vec::new(), slow: Vec::new(), reach: Reach::default() }
    }

    fn add(&mut self, key: Key, session: &mut Session) {
        if self.exclude.contains(&session.id) {
            return;
        }
        match session.queue.push(self.payload, self.policy) {
            Pushed::Now => {
                self.reach.sessions += 1;
                self.receivers_on(session.address.link).push(session.address.channel.0);
            }
            Pushed::Waiting => self.reach.sessions += 1,
            Pushed::Dropped => self.reach.overflowed += 1,
            Pushed::Overflow => {
                self.reach.overflowed += 1;
                self.slow.push(key);
            }
        }
    }

    /// The list for one link. There are few links, so a search from the end is quicker than a map.
    fn receivers_on(&mut self, link: LinkId) -> &mut Vec<u64> {
        let found = self.by_link.iter().rposition(|(other, _)| *other == link);
        let index = found.unwrap_or_else(|| {
            self.by_link.push((link, Vec::with_capacity(1)));
            self.by_link.len() - 1
        });
        &mut self.by_link[index].1
    }

    fn finish(self, out: &mut Vec<Directive>) -> (Reach, Vec<Key>) {
        out.extend(self.by_link.into_iter().map(|(link, channels)| Directive::Deliver {
            link,
            channels,
            payload: self.payload.clone(),
        }));
        (self.reach, self.slow)
    }
}
