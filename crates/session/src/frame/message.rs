//! Numbered frames: those of messages, and that of the mailbox. They are the same for all their receivers but for the offset, which
//! is each session's own. So a worker makes the rest of one once, the *tail*, and whoever has the socket puts the beginning and the
//! offset before it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use crate::mailbox::MailboxPlace;
use crate::payload::{Kind, Payload};

/// How every numbered frame begins, up to its offset.
const NUMBERED: &str = "{\"offset\":";

/// How the tail of a message begins.
const MESSAGE: &str = ",\"type\":\"message\"";

/// What the members' names and signs of a tail need at most, in bytes.
const TAIL_OVERHEAD_BYTES: usize = 112;

/// What the frame of a message says beside its content.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// The message's id.
    pub id: &'a str,
    /// What it is about; empty for none.
    pub topic: &'a str,
    /// The user from whom it is; empty for nobody's.
    pub from: &'a str,
    /// Where it is stored, if it is.
    pub stored: Option<MailboxPlace>,
}

/// What stands behind the offset in the frame of a message: text as a string and JSON as it is in `data`, anything else
/// in `base64`. An empty topic, or sender, is left out.
pub fn message_tail(head: &Head<'_>, payload: &Payload) -> Bytes {
    let Head { id, topic, from, stored } = head;
    let names_bytes = id.len() + topic.len() + from.len();
    let mut tail = String::with_capacity(payload.bytes().len() + names_bytes + TAIL_OVERHEAD_BYTES);
    tail.push_str(MESSAGE);
    push_member(&mut tail, "id", id);
    if !topic.is_empty() {
        push_member(&mut tail, "topic", topic);
    }
    if let Some(place) = stored {
        _ = write!(tail, ",\"stored\":\"{place}\""); // Writing to a String cannot fail.
    }
    if !from.is_empty() {
        push_member(&mut tail, "from", from);
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

/// What stands behind the offset in the frame that tells from where on in the mailbox a client is served, and whether it has missed
/// nothing before that.
pub(crate) fn mailbox_tail(place: MailboxPlace, recovered: bool) -> Bytes {
    format!(",\"type\":\"mailbox\",\"place\":\"{place}\",\"recovered\":{recovered}}}").into()
}

/// A whole numbered frame.
pub fn numbered(offset: u64, tail: &str) -> String {
    let mut frame = String::with_capacity(numbered_bytes(offset, tail.len()));
    frame.push_str(NUMBERED);
    _ = write!(frame, "{offset}"); // Writing to a String cannot fail.
    frame.push_str(tail);
    frame
}

/// How long a whole numbered frame is, in bytes.
pub fn numbered_bytes(offset: u64, tail_bytes: usize) -> usize {
    let digits = offset.checked_ilog10().map_or(1, |log| log as usize + 1);
    NUMBERED.len() + digits + tail_bytes
}

pub(super) fn push_member(into: &mut String, name: &str, value: &str) {
    let value = serde_json::to_string(value).unwrap_or_default(); // A string always has a JSON form.
    _ = write!(into, ",\"{name}\":{value}"); // Writing to a String cannot fail.
}
