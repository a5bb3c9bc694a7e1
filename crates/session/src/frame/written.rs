//! A client's frames as a client writes them.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::client::{ClientEvent, ClientFrame, ClientSend, Recipient};
use super::message::push_member;
use crate::name::UserId;
use crate::payload::{Kind, Payload};

impl ClientFrame {
    /// The frame, with the client's own name for it if it has one.
    pub fn text(&self, reference: Option<&str>) -> String {
        let mut text = format!("{{\"type\":\"{}\"", self.type_name());
        if let Some(reference) = reference {
            push_member(&mut text, "ref", reference);
        }
        match self {
            ClientFrame::Ack { offset } => _ = write!(text, ",\"offset\":{offset}"), // Writing to a String cannot fail.
            ClientFrame::Join { group } | ClientFrame::Leave { group } => {
                push_member(&mut text, "group", group.as_str());
            }
            ClientFrame::Send(send) => push_send(&mut text, send),
            ClientFrame::Event(ClientEvent { topic, payload }) => {
                push_member(&mut text, "topic", topic);
                push_payload(&mut text, payload);
            }
            ClientFrame::Watch { users } | ClientFrame::Unwatch { users } => push_users(&mut text, users),
        }
        text.push('}');
        text
    }

    fn type_name(&self) -> &'static str {
        match self {
            ClientFrame::Ack { .. } => "ack",
            ClientFrame::Join { .. } => "join",
            ClientFrame::Leave { .. } => "leave",
            ClientFrame::Send(_) => "send",
            ClientFrame::Event(_) => "event",
            ClientFrame::Watch { .. } => "watch",
            ClientFrame::Unwatch { .. } => "unwatch",
        }
    }
}

/// As a client sends it, without a name of its own.
impl fmt::Display for ClientFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(None))
    }
}

fn push_send(text: &mut String, ClientSend { to, id, topic, payload }: &ClientSend) {
    let (kind, name) = match to {
        Recipient::User(user) => ("user", user.as_str()),
        Recipient::Group(group) => ("group", group.as_str()),
    };
    let name = serde_json::to_string(name).unwrap_or_default(); // A string always has a JSON form.
    _ = write!(text, ",\"to\":{{\"{kind}\":{name}}}"); // Writing to a String cannot fail.
    if !id.is_empty() {
        push_member(text, "id", id);
    }
    if !topic.is_empty() {
        push_member(text, "topic", topic);
    }
    push_payload(text, payload);
}

fn push_users(text: &mut String, users: &[UserId]) {
    let names: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let names = serde_json::to_string(&names).unwrap_or_default(); // Strings always have a JSON form.
    _ = write!(text, ",\"users\":{names}"); // Writing to a String cannot fail.
}

fn push_payload(text: &mut String, payload: &Payload) {
    let content = std::str::from_utf8(payload.bytes()).unwrap_or_default();
    match payload.kind() {
        Kind::Text => push_member(text, "data", content),
        Kind::Json => _ = write!(text, ",\"data\":{content}"), // Writing to a String cannot fail.
        Kind::Binary => push_member(text, "base64", &BASE64.encode(payload.bytes())),
    }
}
