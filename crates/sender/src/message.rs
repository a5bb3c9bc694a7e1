//! What is sent: a payload for a target.

use bytes::Bytes;
use ringway_proto::v1::publish_request::Send;
use ringway_proto::v1::{Message, PayloadKind, SendToAllRequest, SendToGroupRequest, SendToUserRequest};
use serde::Serialize;

/// What the clients receive: text, JSON or binary. Text comes from `&str` and `String`, JSON from `serde_json::Value`,
/// binary from `Bytes` and `Vec<u8>`. Clients of `ringway.v1.json` receive JSON as a value, all others as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    pub(crate) bytes: Bytes,
    pub(crate) kind: PayloadKind,
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

    /// A JSON message of whatever serialises itself.
    ///
    /// # Errors
    /// [`JsonError`] if it has no JSON form, such as a map whose keys are no strings.
    pub fn json(value: &impl Serialize) -> Result<Self, JsonError> {
        Ok(Payload::json_text(serde_json::to_vec(value)?))
    }

    /// A JSON message of a text that must be one JSON value, which is checked when it is sent.
    pub fn json_text(text: impl Into<Bytes>) -> Self {
        Payload { bytes: text.into(), kind: PayloadKind::Json }
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Payload { bytes: bytes.into(), kind: PayloadKind::Binary }
    }
}

/// A value has no JSON form.
#[derive(Debug, thiserror::Error)]
#[error("the value has no JSON form: {0}")]
pub struct JsonError(#[from] serde_json::Error);

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

impl From<serde_json::Value> for Payload {
    fn from(value: serde_json::Value) -> Self {
        Payload::json_text(value.to_string())
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
            Target::User(user) => Send::ToUser(SendToUserRequest {
                user: user.clone(),
                message,
                ..SendToUserRequest::default()
            }),
            Target::Group(group) => {
                Send::ToGroup(SendToGroupRequest { group: group.clone(), message, routing: None })
            }
            Target::All => Send::ToAll(SendToAllRequest { message, routing: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_text_values_are_json_and_bytes_are_binary() {
        let cases = [
            (Payload::from("a"), PayloadKind::Text),
            (Payload::from("a".to_owned()), PayloadKind::Text),
            (Payload::text_bytes("a"), PayloadKind::Text),
            (Payload::json_text("a"), PayloadKind::Json),
            (Payload::from(Bytes::from_static(b"a")), PayloadKind::Binary),
            (Payload::from(b"a".to_vec()), PayloadKind::Binary),
        ];
        for (payload, kind) in cases {
            assert_eq!((&payload.bytes[..], payload.kind), (&b"a"[..], kind));
        }
    }

    #[test]
    fn values_are_json() {
        let expected = Payload::json_text(r#"{"a":[1,null]}"#);
        let value = serde_json::json!({ "a": [1, null] });
        assert_eq!(Payload::json(&value).unwrap(), expected);
        assert_eq!(Payload::from(value), expected);
        let pairs_for_keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(Payload::json(&pairs_for_keys).unwrap_err().to_string().contains("no JSON form"));
    }
}
