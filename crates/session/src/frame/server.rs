//! What a worker says that is not a message.

use serde::Serialize;

use super::error::FrameError;
use crate::payload::{Kind, Payload};

/// The first frame of every connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Welcome {
    /// The session's id.
    pub session: String,
    /// With what a client goes on with the session when its socket has broken.
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

/// An error as a frame: the answer to what a client sent, with the client's own name for it.
pub fn error(reference: Option<&str>, error: &FrameError) -> Payload {
    #[derive(Serialize)]
    struct Typed<'a> {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<&'a str>,
        code: &'static str,
        message: String,
    }
    text(&Typed { r#type: "error", r#ref: reference, code: error.code().as_str(), message: error.words() })
}

/// What became of a client's frame that had a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reply<'a> {
    /// It is done.
    Done {},
    /// A message was sent.
    Sent {
        /// What became of it.
        outcome: &'a str,
        /// To how many sessions it is on the way.
        sessions: u32,
        /// Its id.
        id: &'a str,
    },
}

/// A reply as a frame.
pub fn reply(reference: &str, reply: Reply<'_>) -> Payload {
    #[derive(Serialize)]
    struct Typed<'a> {
        r#type: &'static str,
        r#ref: &'a str,
        #[serde(flatten)]
        reply: Reply<'a>,
    }
    text(&Typed { r#type: "reply", r#ref: reference, reply })
}

/// What a gateway that shuts down tells a client before it closes the socket: reconnect, but not before so long.
pub fn reconnect(delay_ms: u64) -> String {
    format!("{{\"type\":\"reconnect\",\"delay_ms\":{delay_ms}}}")
}

pub(super) fn text(frame: &impl Serialize) -> Payload {
    let text = serde_json::to_vec(frame).unwrap_or_default();
    Payload::new(text.into(), Kind::Text).expect("JSON is text")
}
