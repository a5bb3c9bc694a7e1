//! The frames of the subprotocol `ringway.v1.json` (docs/client-protocol.md), as text.
//!
//! A message's frame is the same for all its receivers but for the offset, which is each session's own. So a worker makes
//! the rest of it once, the *tail*, and whoever has the socket puts the beginning and the offset before it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::payload::{Kind, Payload};

/// The name of the subprotocol in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "ringway.v1.json";

/// How every numbered frame begins, up to its offset.
const NUMBERED: &str = "{\"type\":\"message\",\"offset\":";

/// What stands behind the offset in the frame of a message.
pub fn message_tail(id: &str, topic: &str, payload: &Payload) -> Bytes {
    let mut tail = String::with_capacity(payload.bytes().len() + id.len() + topic.len() + 48);
    push_member(&mut tail, "id", id);
    if !topic.is_empty() {
        push_member(&mut tail, "topic", topic);
    }
    let text = std::str::from_utf8(payload.bytes()).unwrap_or_default();
    match payload.kind() {
        Kind::Json => _ = write!(tail, ",\"data\":{text}"), // Writing to a String cannot fail.
        Kind::Text => push_member(&mut tail, "data", text),
        Kind::Binary => push_member(&mut tail, "base64", &BASE64.encode(payload.bytes())),
    }
    tail.push('}');
    tail.into()
}

/// The whole frame of a message.
pub fn numbered(offset: u64, tail: &str) -> String {
    let mut frame = String::with_capacity(numbered_bytes(offset, tail.len()));
    frame.push_str(NUMBERED);
    _ = write!(frame, "{offset}"); // Writing to a String cannot fail.
    frame.push_str(tail);
    frame
}

/// How long the whole frame of a message is, in bytes.
pub fn numbered_bytes(offset: u64, tail_bytes: usize) -> usize {
    let digits = offset.checked_ilog10().map_or(1, |log| log as usize + 1);
    NUMBERED.len() + digits + tail_bytes
}

/// The first frame of every connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Welcome {
    /// The session's id.
    pub session: String,
    /// With what a client goes on with the session when its socket has broken.
    pub resume: String,
    /// Another number whenever offsets begin anew.
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

/// Why a client's frame was not acted upon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is no frame of the protocol.
    #[error("the frame cannot be read: {0}")]
    Unreadable(String),
    /// It is a frame of the protocol which this server does not act upon.
    #[error("there is no frame of type {0:?}")]
    UnknownType(String),
}

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// It has all messages up to this offset.
    Ack {
        /// The offset.
        offset: u64,
    },
}

/// A client's frame with its own name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromClient {
    /// Comes back in the answer.
    pub reference: Option<String>,
    /// What it says.
    pub frame: Result<ClientFrame, FrameError>,
}

#[derive(Deserialize)]
struct Raw {
    r#type: String,
    r#ref: Option<String>,
    offset: Option<u64>,
}

/// Reads a client's frame.
pub fn parse(text: &[u8]) -> FromClient {
    let raw: Raw = match serde_json::from_slice(text) {
        Ok(raw) => raw,
        Err(error) => {
            return FromClient { reference: None, frame: Err(FrameError::Unreadable(error.to_string())) };
        }
    };
    let frame = match (raw.r#type.as_str(), raw.offset) {
        ("ack", Some(offset)) => Ok(ClientFrame::Ack { offset }),
        ("ack", None) => Err(FrameError::Unreadable("an ack needs an offset".to_owned())),
        (other, _) => Err(FrameError::UnknownType(other.to_owned())),
    };
    FromClient { reference: raw.r#ref, frame }
}

/// The welcome as a frame.
pub fn welcome(welcome: &Welcome) -> Payload {
    #[derive(Serialize)]
    struct Typed<'a> {
        r#type: &'static str,
        #[serde(flatten)]
        welcome: &'a Welcome,
    }
    text(&Typed { r#type: "welcome", welcome })
}

/// An error as a frame.
pub fn error(reference: Option<&str>, error: &FrameError) -> Payload {
    #[derive(Serialize)]
    struct Typed<'a> {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<&'a str>,
        code: &'static str,
        message: String,
    }
    let code = match error {
        FrameError::Unreadable(_) => "unreadable",
        FrameError::UnknownType(_) => "unknown_type",
    };
    text(&Typed { r#type: "error", r#ref: reference, code, message: error.to_string() })
}

/// What a gateway that shuts down tells a client before it closes the socket: reconnect, but not before so long.
pub fn reconnect(delay_ms: u64) -> String {
    format!("{{\"type\":\"reconnect\",\"delay_ms\":{delay_ms}}}")
}

fn text(frame: &impl Serialize) -> Payload {
    let text = serde_json::to_vec(frame).unwrap_or_default();
    Payload::new(text.into(), Kind::Text).expect("JSON is text")
}

fn push_member(into: &mut String, name: &str, value: &str) {
    let value = serde_json::to_string(value).unwrap_or_default();
    _ = write!(into, ",\"{name}\":{value}"); // Writing to a String cannot fail.
}
