//! A message on its way to sessions: one content, in the two forms in which clients receive it.

use std::sync::OnceLock;

use bytes::Bytes;
use ringway_ring::hash_of;

use crate::frame::{self, Head};
use crate::mailbox::{MailboxPlace, Stored};
use crate::payload::Payload;

/// A message that was accepted. Raw clients receive its payload as it is, clients of `ringway.v1.json` a frame around it
/// that is made once for all of them.
#[derive(Clone, Debug)]
pub struct Message {
    id: String,
    topic: String,
    from: String,
    payload: Payload,
    stored: Option<Stored>,
    tail: OnceLock<Payload>,
}

impl Message {
    /// A message of this id, about this topic (empty for none).
    pub fn new(id: String, topic: String, payload: Payload) -> Self {
        Message { id, topic, from: String::new(), payload, stored: None, tail: OnceLock::new() }
    }

    /// The same message as it is stored there.
    pub fn stored_at(self, stored: Stored) -> Self {
        Message { stored: Some(stored), tail: OnceLock::new(), ..self }
    }

    /// Where it is stored, if it is.
    pub fn stored(&self) -> Option<Stored> {
        self.stored
    }

    /// The same from this user (empty for nobody's).
    pub fn from_user(self, from: String) -> Self {
        Message { from, tail: OnceLock::new(), ..self }
    }

    /// That from this place on in the mailbox is served what comes, and whether nothing before it is missing: for clients of
    /// `ringway.v1.json`, which acknowledge it like what is stored there.
    pub(crate) fn mailbox(place: MailboxPlace, recovered: bool) -> Self {
        let tail = Payload::text(frame::mailbox_tail(place, recovered));
        let stored = Some(Stored { place, until_first_ack: false });
        Message { stored, tail: tail.into(), ..Message::of(Payload::text(Bytes::new())) }
    }

    /// A payload that the cluster itself has for a raw client, without an id.
    pub fn of(payload: Payload) -> Self {
        Message::new(String::new(), String::new(), payload)
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is about; empty for none.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The user from whom it is; empty for nobody's.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The id, taken out.
    pub fn into_id(self) -> String {
        self.id
    }

    /// A hash of the id, the same in every process.
    pub fn id_hash(&self) -> u64 {
        hash_of(self.id.as_bytes())
    }

    /// The payload as it came.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    fn head(&self) -> Head<'_> {
        let stored = self.stored.map(|stored| stored.place);
        Head { id: &self.id, topic: &self.topic, from: &self.from, stored }
    }

    /// What stands behind the offset in the frame of `ringway.v1.json`.
    pub(crate) fn tail(&self) -> &Payload {
        self.tail.get_or_init(|| Payload::text(frame::message_tail(&self.head(), &self.payload)))
    }
}
