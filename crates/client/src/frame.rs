//! What a server says, read. Members and types that are not known are passed over: the server may be newer.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use ringway_session::{MailboxPlace, MailboxPlaceError};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFrame {
    /// The first of every connection.
    Welcome(Welcome),
    /// A message.
    Message(Message),
    /// From where on in the user's mailbox the client is served.
    Mailbox(Mailbox),
    /// Whether users whom the client watches are online.
    Presence(Vec<Presence>),
    /// Something that the client sent was acted upon.
    Reply(Reply),
    /// Something that the client sent was not acted upon.
    Error(ErrorFrame),
    /// The server is about to close the socket; connect again after so many milliseconds.
    Reconnect {
        /// How many.
        delay_ms: u64,
    },
    /// A type that this client does not know.
    Unknown(String),
}

/// What a session begins with, and goes on with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Welcome {
    /// The session's id.
    pub session: String,
    /// With what to resume it.
    pub resume: String,
    /// Another text whenever offsets begin anew.
    pub epoch: String,
    /// The offset before the first that this connection will bring.
    pub offset: u64,
    /// Whether nothing is missing between what the client said to have and what comes now.
    pub recovered: bool,
    /// For how long the session can be resumed once the socket is broken.
    pub resume_window_ms: u64,
    /// Within what time an acknowledgement is expected.
    pub ack_within_ms: u64,
}

/// From where on in the user's mailbox the client is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Its number in the session's stream.
    pub offset: u64,
    /// It has everything up to here, or what it has not is lost.
    pub place: MailboxPlace,
    /// Whether nothing is missing between what it had and what comes now.
    pub recovered: bool,
}

/// Whether a user whom the client watches is online. What came last counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Presence {
    /// Who.
    pub user: String,
    /// With at least one session.
    pub online: bool,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number in the session's stream.
    pub offset: u64,
    /// Its id.
    pub id: String,
    /// What it is about; may be empty.
    pub topic: String,
    /// The user from whom it is; empty for nobody's. The cluster vouches for it.
    pub from: String,
    /// What it says.
    pub content: Content,
    /// Where it is in the user's mailbox, if it is.
    pub stored: Option<MailboxPlace>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A JSON value as it was written. A text is a string.
    Data(String),
    /// Bytes.
    Binary(Bytes),
}

impl Content {
    /// The text, if it is one.
    pub fn text(&self) -> Option<String> {
        match self {
            Content::Data(json) => serde_json::from_str(json).ok(),
            Content::Binary(_) => None,
        }
    }
}

/// Something that the client sent was acted upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The client's name for what it sent.
    pub reference: String,
    /// What became of it, if it was a message for others.
    pub receipt: Option<Receipt>,
}

/// What became of a message for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// A word of the protocol: `delivered`, `no_session` and others.
    pub outcome: String,
    /// To how many sessions it is on the way.
    pub sessions: u32,
    /// Its id.
    pub id: String,
}

/// Something that the client sent was not acted upon.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ErrorFrame {
    /// The client's name for what it sent.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// What was wrong, for programs.
    pub code: String,
    /// The same in words.
    #[serde(default)]
    pub message: String,
}

/// Why a text is no frame of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerFrameError {
    /// It is no JSON, or its members are not what its type asks for.
    #[error("not a frame of the protocol: {0}")]
    Unreadable(String),
    /// A message without content, or with two.
    #[error("the message {offset} must have either data or base64")]
    Content {
        /// Which.
        offset: u64,
    },
    /// A message whose bytes are not base64.
    #[error("the message {offset} is not valid base64")]
    Base64 {
        /// Which.
        offset: u64,
    },
}

impl From<serde_json::Error> for ServerFrameError {
    fn from(error: serde_json::Error) -> Self {
        ServerFrameError::Unreadable(error.to_string())
    }
}

impl ServerFrame {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`ServerFrameError`] if it is none.
    pub fn read(text: &str) -> Result<Self, ServerFrameError> {
        let Typed { r#type } = serde_json::from_str(text)?;
        Ok(match r#type.as_str() {
            "welcome" => Self::Welcome(serde_json::from_str(text)?),
            "message" => Self::Message(serde_json::from_str::<RawMessage<'_>>(text)?.read()?),
            "mailbox" => Self::Mailbox(serde_json::from_str::<RawMailbox<'_>>(text)?.read()?),
            "presence" => Self::Presence(serde_json::from_str::<RawPresence>(text)?.users),
            "reply" => Self::Reply(serde_json::from_str::<RawReply>(text)?.read()),
            "error" => Self::Error(serde_json::from_str(text)?),
            "reconnect" => Self::Reconnect { delay_ms: serde_json::from_str::<RawReconnect>(text)?.delay_ms },
            _ => Self::Unknown(r#type),
        })
    }
}

#[derive(Deserialize)]
struct Typed {
    r#type: String,
}

#[derive(Deserialize)]
struct RawReconnect {
    delay_ms: u64,
}

#[derive(Deserialize)]
struct RawPresence {
    users: Vec<Presence>,
}

#[derive(Deserialize)]
struct RawMailbox<'a> {
    offset: u64,
    #[serde(borrow)]
    place: Cow<'a, str>,
    recovered: bool,
}

impl RawMailbox<'_> {
    fn read(self) -> Result<Mailbox, ServerFrameError> {
        Ok(Mailbox { offset: self.offset, place: place(&self.place)?, recovered: self.recovered })
    }
}

fn place(text: &str) -> Result<MailboxPlace, ServerFrameError> {
    text.parse().map_err(|error: MailboxPlaceError| ServerFrameError::Unreadable(error.to_string()))
}

#[derive(Deserialize)]
struct RawReply {
    r#ref: String,
    outcome: Option<String>,
    #[serde(default)]
    sessions: u32,
    #[serde(default)]
    id: String,
}

impl RawReply {
    fn read(self) -> Reply {
        let RawReply { r#ref: reference, outcome, sessions, id } = self;
        Reply { reference, receipt: outcome.map(|outcome| Receipt { outcome, sessions, id }) }
    }
}

#[derive(Deserialize)]
struct RawMessage<'a> {
    offset: u64,
    #[serde(borrow, default)]
    stored: Option<Cow<'a, str>>,
    id: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    from: String,
    /// `null` is a value like any other: an `Option` alone would take it for nothing.
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    base64: Option<String>,
}

fn present<'a, D: serde::Deserializer<'a>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl RawMessage<'_> {
    fn read(self) -> Result<Message, ServerFrameError> {
        let RawMessage { offset, stored, id, topic, from, data, base64 } = self;
        let stored = stored.as_deref().map(place).transpose()?;
        let content = match (data, base64) {
            (Some(data), None) => Content::Data(data.get().to_owned()),
            (None, Some(text)) => match BASE64.decode(text) {
                Ok(bytes) => Content::Binary(bytes.into()),
                Err(_) => return Err(ServerFrameError::Base64 { offset }),
            },
            _ => return Err(ServerFrameError::Content { offset }),
        };
        Ok(Message { offset, id, topic, from, content, stored })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const VECTORS: &str = include_str!("../../../tests/vectors/client-protocol.json");

    fn vectors(of: &str) -> Vec<Value> {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        vectors[of].as_array().unwrap_or_else(|| panic!("{of}")).clone()
    }

    fn read(vector: &Value) -> ServerFrame {
        ServerFrame::read(vector["frame"].as_str().unwrap())
            .unwrap_or_else(|error| panic!("{vector}: {error}"))
    }

    #[test]
    fn messages_are_what_the_vectors_say() {
        for vector in vectors("message") {
            let ServerFrame::Message(message) = read(&vector) else { panic!("{vector}") };
            assert_eq!(
                (message.offset, message.id.as_str()),
                (vector["offset"].as_u64().unwrap(), vector["id"].as_str().unwrap())
            );
            assert_eq!(message.topic, vector["topic"].as_str().unwrap());
            let stored = message.stored.map(|place| place.to_string());
            assert_eq!(stored.as_deref(), vector["stored"].as_str());
            assert_eq!(message.from, vector["from"].as_str().unwrap_or_default());
            let payload = BASE64.decode(vector["payload_base64"].as_str().unwrap()).unwrap();
            match (vector["kind"].as_str().unwrap(), &message.content) {
                ("text", content) => assert_eq!(content.text().unwrap().as_bytes(), payload),
                ("json", Content::Data(json)) => {
                    assert_eq!(json.as_str(), std::str::from_utf8(&payload).unwrap().trim());
                }
                ("binary", Content::Binary(bytes)) => assert_eq!(bytes[..], payload),
                (kind, content) => panic!("{kind}: {content:?}"),
            }
        }
    }

    #[test]
    fn the_other_frames_are_what_the_vectors_say() {
        for vector in vectors("welcome") {
            let ServerFrame::Welcome(welcome) = read(&vector) else { panic!("{vector}") };
            let read = (welcome.resume.as_str(), welcome.offset, welcome.recovered, welcome.ack_within_ms);
            let told = (&vector["resume"], &vector["offset"], &vector["recovered"], &vector["ack_within_ms"]);
            let told = (
                told.0.as_str().unwrap(),
                told.1.as_u64().unwrap(),
                told.2.as_bool().unwrap(),
                told.3.as_u64().unwrap(),
            );
            assert_eq!(read, told);
        }
        for vector in vectors("error") {
            let ServerFrame::Error(error) = read(&vector) else { panic!("{vector}") };
            let told = (vector["ref"].as_str(), vector["code"].as_str().unwrap());
            assert_eq!((error.reference.as_deref(), error.code.as_str()), told);
        }
        for vector in vectors("mailbox") {
            let ServerFrame::Mailbox(Mailbox { offset, place, recovered }) = read(&vector) else {
                panic!("{vector}")
            };
            let told = (vector["place"].as_str().unwrap(), vector["recovered"].as_bool().unwrap());
            assert_eq!((place.to_string().as_str(), recovered), told);
            assert_eq!(offset, vector["offset"].as_u64().unwrap());
        }
        for vector in vectors("presence") {
            let ServerFrame::Presence(users) = read(&vector) else { panic!("{vector}") };
            let told: Vec<Presence> = serde_json::from_value(vector["users"].clone()).unwrap();
            assert_eq!(users, told);
        }
        for vector in vectors("reply") {
            let ServerFrame::Reply(reply) = read(&vector) else { panic!("{vector}") };
            assert_eq!(reply.reference, vector["ref"].as_str().unwrap());
            let told = reply.receipt.as_ref().map(|receipt| receipt.outcome.as_str());
            assert_eq!(told, vector["outcome"].as_str());
            if let Some(Receipt { sessions, id, .. }) = reply.receipt {
                let expected = (vector["sessions"].as_u64().unwrap(), vector["id"].as_str().unwrap());
                assert_eq!((u64::from(sessions), id.as_str()), expected);
            }
        }
        for vector in vectors("reconnect") {
            let delay_ms = vector["delay_ms"].as_u64().unwrap();
            assert_eq!(read(&vector), ServerFrame::Reconnect { delay_ms });
        }
        for frame in vectors("server_later") {
            let read = ServerFrame::read(frame.as_str().unwrap());
            assert!(matches!(read, Ok(ServerFrame::Unknown(_))), "{read:?}");
        }
    }

    #[test]
    fn what_is_no_frame_is_told() {
        let cases = [
            ("hello", "not a frame"),
            ("{}", "missing field `type`"),
            (r#"{"type":"welcome"}"#, "missing field `session`"),
            (r#"{"type":"message","offset":1,"id":"m"}"#, "either data or base64"),
            (r#"{"type":"message","offset":1,"id":"m","data":1,"base64":""}"#, "either data or base64"),
            (r#"{"type":"message","offset":1,"id":"m","base64":"?"}"#, "not valid base64"),
            (r#"{"type":"message","offset":-1,"id":"m","data":1}"#, "invalid value"),
            (r#"{"type":"message","offset":1,"id":"m","data":1,"stored":"5"}"#, "place in a mailbox"),
            (r#"{"type":"mailbox","place":7,"recovered":true}"#, "invalid type"),
            (r#"{"type":"presence"}"#, "missing field `users`"),
            (r#"{"type":"presence","users":[{"user":"bob"}]}"#, "missing field `online`"),
            (r#"{"type":"reply","outcome":"delivered"}"#, "missing field `ref`"),
            (r#"{"type":"reconnect"}"#, "missing field `delay_ms`"),
        ];
        for (text, expected) in cases {
            let told = ServerFrame::read(text).unwrap_err().to_string();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_server_sends_makes_it_panic(text: String) {
            let _whatever_it_is = ServerFrame::read(&text);
        }
    }
}
