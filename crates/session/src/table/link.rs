//! One link: the sessions on it, how much is on the way to it, and who waits for room.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use slab::Slab;

use super::Key;
use crate::directive::{Channel, Directive, LinkId};
use crate::payload::Payload;
use crate::policy::Policy;
use crate::queue::Room;
use crate::session::Session;

/// What each receiver counts in a message's cost on a link, in bytes.
const RECEIVER_BYTES: u64 = 8;

/// What a message for so many receivers counts on its way to a link, in bytes.
pub fn deliver_cost_bytes(payload_bytes: usize, receivers: usize) -> u64 {
    payload_bytes as u64 + crate::payload::MESSAGE_OVERHEAD_BYTES + RECEIVER_BYTES * receivers as u64
}

#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) channels: FxHashMap<Channel, Key>,
    /// Directed to the link and not taken by its stream yet.
    on_the_way_bytes: u64,
    /// Sessions with messages that wait for nothing but room on this link.
    parked: VecDeque<Key>,
    /// The receivers of the message that is being spread.
    pub(super) receivers: Vec<u64>,
}

impl Link {
    pub(super) fn room(&self, policy: &Policy) -> Room {
        if self.on_the_way_bytes < policy.link_bytes_max { Room::Free } else { Room::Full }
    }

    pub(super) fn charge(&mut self, bytes: u64) {
        self.on_the_way_bytes += bytes;
    }

    /// The link's stream has taken so much.
    pub(super) fn taken(&mut self, bytes: u64) {
        self.on_the_way_bytes = self.on_the_way_bytes.saturating_sub(bytes);
    }

    /// Lets a session stand in line if it waits for nothing but room.
    pub(super) fn park(&mut self, key: Key, session: &mut Session, policy: &Policy) {
        if !session.parked && session.queue.is_ready(policy) {
            session.parked = true;
            self.parked.push_back(key);
        }
    }
}

/// Messages that go now because there is room again: each once, for all sessions of the link that it is released for.
pub(super) struct Releases<'a> {
    id: LinkId,
    link: &'a mut Link,
    policy: &'a Policy,
    batch: Vec<(Payload, Vec<u64>)>,
    /// Where in the batch a payload stands last, by the address of its bytes.
    places: FxHashMap<(usize, usize), usize>,
}

impl<'a> Releases<'a> {
    pub(super) fn new(id: LinkId, link: &'a mut Link, policy: &'a Policy) -> Self {
        Releases { id, link, policy, batch: Vec::new(), places: FxHashMap::default() }
    }

    pub(super) fn key_of(&self, channel: Channel) -> Option<Key> {
        self.link.channels.get(&channel).copied()
    }

    /// Releases what waits at one session, as far as its window and the link have room; the rest stands in line.
    pub(super) fn release(&mut self, key: Key, session: &mut Session) {
        let mut after = None;
        while self.link.room(self.policy) == Room::Free
            && let Some(payload) = session.queue.release(self.policy)
        {
            after = Some(self.add(payload, session.address.channel, after));
        }
        self.link.park(key, session, self.policy);
    }

    /// Releases those that stand in line, each in turn, as long as there is room.
    pub(super) fn release_parked(&mut self, sessions: &mut Slab<Session>) {
        let mut in_line = self.link.parked.len();
        while in_line > 0 && self.link.room(self.policy) == Room::Free {
            in_line -= 1;
            let Some(key) = self.link.parked.pop_front() else { return };
            // The key may have passed to another session since: it stands in no line then, or in another place of this one.
            let session =
                sessions.get_mut(key).filter(|session| session.parked && session.address.link == self.id);
            if let Some(session) = session {
                session.parked = false;
                self.release(key, session);
            }
        }
    }

    pub(super) fn finish(self, out: &mut Vec<Directive>) {
        let link = self.id;
        let deliveries = self.batch.into_iter();
        out.extend(deliveries.map(|(payload, channels)| Directive::Deliver { link, channels, payload }));
    }

    /// Adds a receiver behind the place `after`, so that each session's messages keep their order.
    fn add(&mut self, payload: Payload, channel: Channel, after: Option<usize>) -> usize {
        let address = (payload.bytes().as_ptr() as usize, payload.bytes().len());
        if let Some(&place) = self.places.get(&address)
            && after.is_none_or(|after| place > after)
            && self.batch[place].0 == payload
        {
            self.link.charge(RECEIVER_BYTES);
            self.batch[place].1.push(channel.0);
            return place;
        }
        self.link.charge(deliver_cost_bytes(payload.bytes().len(), 1));
        self.batch.push((payload, vec![channel.0]));
        self.places.insert(address, self.batch.len() - 1);
        self.batch.len() - 1
    }
}
