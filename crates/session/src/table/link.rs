//! One link: the sessions on it, how much is on the way to it, and who waits for room.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use slab::Slab;

use super::Key;
use crate::directive::{Address, Channel, Directive, LinkId};
use crate::payload::Payload;
use crate::policy::Policy;
use crate::queue::{Item, Room};
use crate::session::{Place, Session};

/// What each receiver counts in a message's cost on a link, in bytes.
const RECEIVER_BYTES: u64 = 8;

/// What a message for so many receivers counts on its way to a link, in bytes. A receiver with an offset counts twice.
pub fn deliver_cost_bytes(payload_bytes: usize, receivers: usize) -> u64 {
    payload_bytes as u64 + crate::payload::MESSAGE_OVERHEAD_BYTES + RECEIVER_BYTES * receivers as u64
}

/// The receivers of one message on one link.
#[derive(Debug, Default)]
pub(super) struct Receivers {
    channels: Vec<u64>,
    /// One for each channel, or none.
    offsets: Vec<u64>,
}

impl Receivers {
    pub(super) fn add(&mut self, channel: Channel, offset: u64) {
        self.channels.push(channel.0);
        if offset > 0 {
            self.offsets.push(offset);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Whether they number what they receive.
    pub(super) fn number(&self) -> bool {
        !self.offsets.is_empty()
    }

    /// What a message for them counts on its way to the link.
    pub(super) fn cost_bytes(&self, payload: &Payload) -> u64 {
        deliver_cost_bytes(payload.bytes().len(), self.channels.len() + self.offsets.len())
    }

    pub(super) fn deliver(self, link: LinkId, payload: Payload) -> Directive {
        Directive::Deliver { link, channels: self.channels, offsets: self.offsets, payload }
    }
}

#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) channels: FxHashMap<Channel, Key>,
    /// Directed to the link and not taken by its stream yet.
    on_the_way_bytes: u64,
    /// Sessions with messages that wait for nothing but room on this link.
    in_line: VecDeque<Key>,
    /// The receivers of the message that is being spread: those who take it as it is, and those who number it.
    pub(super) receivers: Receivers,
    pub(super) numbered: Receivers,
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
    pub(super) fn line_up(&mut self, key: Key, session: &mut Session, policy: &Policy) {
        if !session.in_line && session.queue.is_ready(policy) {
            session.in_line = true;
            self.in_line.push_back(key);
        }
    }
}

/// Messages that go now because there is room again: each once, for all sessions of the link that it is released for.
pub(super) struct Releases<'a> {
    id: LinkId,
    link: &'a mut Link,
    policy: &'a Policy,
    batch: Vec<(Payload, Receivers)>,
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
            && let Place::Attached(Address { channel, .. }) = session.place
            && let Some(item) = session.queue.release(self.policy)
        {
            after = Some(self.add(item, channel, after));
        }
        self.link.line_up(key, session, self.policy);
    }

    /// Releases those that stand in line, each in turn, as long as there is room.
    pub(super) fn release_line(&mut self, sessions: &mut Slab<Session>) {
        let mut in_line = self.link.in_line.len();
        while in_line > 0 && self.link.room(self.policy) == Room::Free {
            in_line -= 1;
            let Some(key) = self.link.in_line.pop_front() else { return };
            // The key may have passed to another session since: it stands in no line then, or in another place of this one.
            let session = sessions.get_mut(key).filter(|session| session.in_line && is_on(session, self.id));
            if let Some(session) = session {
                session.in_line = false;
                self.release(key, session);
            }
        }
    }

    pub(super) fn finish(self, out: &mut Vec<Directive>) {
        let link = self.id;
        out.extend(self.batch.into_iter().map(|(payload, receivers)| receivers.deliver(link, payload)));
    }

    /// Adds a receiver behind the place `after`, so that each session's messages keep their order.
    fn add(&mut self, item: Item, channel: Channel, after: Option<usize>) -> usize {
        let Item { offset, payload, .. } = item;
        let address = (payload.bytes().as_ptr() as usize, payload.bytes().len());
        if let Some(&place) = self.places.get(&address)
            && after.is_none_or(|after| place > after)
            && self.batch[place].0 == payload
        {
            self.link.charge(RECEIVER_BYTES * if offset > 0 { 2 } else { 1 });
            self.batch[place].1.add(channel, offset);
            return place;
        }
        let mut receivers = Receivers::default();
        receivers.add(channel, offset);
        self.link.charge(receivers.cost_bytes(&payload));
        self.batch.push((payload, receivers));
        self.places.insert(address, self.batch.len() - 1);
        self.batch.len() - 1
    }
}

fn is_on(session: &Session, link: LinkId) -> bool {
    session.place.address().is_some_and(|address| address.link == link)
}
