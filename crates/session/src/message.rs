//! A message on its way to sessions: one content, in the two forms in which clients receive it.

use std::sync::OnceLock;

use ringway_ring::hash_of;

use crate::frame;
use crate::payload::Payload;

/// A message that was accepted. Raw clients receive its payload as it is, clients of `ringway.v1.json` a frame around it
/// that is made once for all of them.
#[derive(Clone, Debug)]
pub struct Message {
    id: String,
    topic: String,
    from: String,
    payload: Payload,
    tail: OnceLock<Payload>,
}

impl Message {
    /// A message of this id, about this topic (empty for none).
    pub fn new(id: String, topic: String, payload: Payload) -> Self {
        Message { id, topic, from: String::new(), payload, tail: OnceLock::new() }
    }

    /// The same from this user (empty for nobody's).
    pub fn from_user(self, from: String) -> Self {
        Message { from, tail: OnceLock::new(), ..self }
    }

    /// A payload that the cluster itself has for a raw client, without an id.
    pub fn of(payload: Payload) -> Self {
        Message::new(String::new(), String::new(), payload)
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

    /// What stands behind the offset in the frame of `ringway.v1.json`.
    pub(crate) fn tail(&self) -> &Payload {
        let tail = || frame::message_tail(&self.id, &self.topic, &self.from, &self.payload);
        self.tail.get_or_init(|| Payload::text(tail()))
    }
}
