//! What a client sends or receives: bytes, as text or as binary. Shared, never copied for a receiver.

use bytes::Bytes;

/// What each message counts beside its payload, in bytes, wherever messages that wait are counted.
pub const MESSAGE_OVERHEAD_BYTES: u64 = 64;

/// As which kind of WebSocket message a payload travels (RFC 6455 section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// UTF-8 text that is one JSON value (RFC 8259).
    Json,
    /// Any bytes.
    Binary,
}

/// One message's content. Cloning shares the bytes. A text or JSON payload is valid UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    bytes: Bytes,
    kind: Kind,
}

/// Why bytes are no payload of a kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// A payload that is to travel as text is not UTF-8.
    #[error(
        "a text payload must be valid UTF-8, and this one is not from byte {valid_up_to} on; send it as binary"
    )]
    NotText {
        /// How many bytes are valid.
        valid_up_to: usize,
    },
    /// A payload that is to be JSON is not.
    #[error("a JSON payload must be one JSON value, and this one is not: {why}; send it as text")]
    NotJson {
        /// What the parser says.
        why: String,
    },
}

impl Payload {
    /// A payload of the given kind.
    ///
    /// # Errors
    /// [`PayloadError`] if the bytes are not what the kind says.
    pub fn new(bytes: Bytes, kind: Kind) -> Result<Self, PayloadError> {
        match kind {
            Kind::Binary => {}
            Kind::Text => check_text(&bytes)?,
            Kind::Json => check_json(&bytes)?,
        }
        Ok(Payload { bytes, kind })
    }

    /// Text that is known to be UTF-8, since it was made of it.
    pub(crate) fn text(bytes: Bytes) -> Self {
        debug_assert!(std::str::from_utf8(&bytes).is_ok());
        Payload { bytes, kind: Kind::Text }
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

fn check_text(bytes: &[u8]) -> Result<(), PayloadError> {
    let not_text = |error: std::str::Utf8Error| PayloadError::NotText { valid_up_to: error.valid_up_to() };
    std::str::from_utf8(bytes).map(drop).map_err(not_text)
}

fn check_json(bytes: &[u8]) -> Result<(), PayloadError> {
    check_text(bytes)?;
    let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
    parsed.map(drop).map_err(|error| PayloadError::NotJson { why: error.to_string() })
}
