//! What a client sends or receives: bytes, as text or as binary. Shared, never copied for a receiver.

use bytes::Bytes;

/// What each message counts beside its payload, in bytes, wherever messages that wait are counted.
pub const MESSAGE_OVERHEAD_BYTES: u64 = 64;

/// As which kind of WebSocket message a payload travels (RFC 6455 section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

/// One message's content. Cloning shares the bytes. A text payload is valid UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    bytes: Bytes,
    kind: Kind,
}

/// A payload that is to travel as text is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a text payload must be valid UTF-8, and this one is not from byte {valid_up_to} on; send it as binary"
)]
pub struct NotText {
    /// How many bytes are valid.
    pub valid_up_to: usize,
}

impl Payload {
    /// A payload of the given kind.
    ///
    /// # Errors
    /// [`NotText`] if it is to be text and is not UTF-8.
    pub fn new(bytes: Bytes, kind: Kind) -> Result<Self, NotText> {
        if kind == Kind::Text {
            std::str::from_utf8(&bytes).map_err(|error| NotText { valid_up_to: error.valid_up_to() })?;
        }
        Ok(Payload { bytes, kind })
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes, taken out.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What this message counts in a queue: its bytes and [`MESSAGE_OVERHEAD_BYTES`].
    pub fn cost_bytes(&self) -> u64 {
        self.bytes.len() as u64 + MESSAGE_OVERHEAD_BYTES
    }
}
