//! What is sent: a payload for a target.

use bytes::Bytes;
use ringway_proto::v1::publish_request::Send;
use ringway_proto::v1::{Message, PayloadKind, SendToAllRequest, SendToGroupRequest, SendToUserRequest};

/// What the clients receive: text or binary. Text comes from `&str` and `String`, binary from `Bytes` and `Vec<u8>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    bytes: Bytes,
    kind: PayloadKind,
}

impl Payload {
    /// A text message.
    pub fn text(text: impl Into<String>) -> Self {
        Payload { bytes: Bytes::from(text.into()), kind: PayloadKind::Text }
    }

    /// A text message of bytes that must be UTF-8, which is checked when it is sent.
    pub fn text_bytes(bytes: impl Into<Bytes>) -> Self {
        Payload { bytes: bytes.into(), kind: PayloadKind::Text }
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Payload { bytes: bytes.into(), kind: PayloadKind::Binary }
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Payload::text(text)
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Payload::text(text)
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Payload::binary(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::binary(bytes)
    }
}

/// To whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    User(String),
    Group(String),
    All,
}

impl Target {
    /// The label in metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Target::User(_) => "user",
            Target::Group(_) => "group",
            Target::All => "all",
        }
    }

    /// The request that sends a message to it.
    pub(crate) fn request(&self, message: Message) -> Send {
        let message = Some(message);
        match self {
            Target::User(user) => {
                Send::ToUser(SendToUserRequest { user: user.clone(), message, routing: None })
            }
            Target::Group(group) => {
                Send::ToGroup(SendToGroupRequest { group: group.clone(), message, routing: None })
            }
            Target::All => Send::ToAll(SendToAllRequest { message, routing: None }),
        }
    }
}

pub(crate) fn message(payload: Payload, message_id: String, exclude_sessions: Vec<String>) -> Message {
    let topic = String::new();
    Message { payload: payload.bytes, kind: payload.kind.into(), message_id, exclude_sessions, topic }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_text_and_bytes_are_binary() {
        let cases = [
            (Payload::from("a"), PayloadKind::Text),
            (Payload::from("a".to_owned()), PayloadKind::Text),
            (Payload::text_bytes("a"), PayloadKind::Text),
            (Payload::from(Bytes::from_static(b"a")), PayloadKind::Binary),
            (Payload::from(b"a".to_vec()), PayloadKind::Binary),
        ];
        for (payload, kind) in cases {
            assert_eq!((&payload.bytes[..], payload.kind), (&b"a"[..], kind));
        }
    }
}
