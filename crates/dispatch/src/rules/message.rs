//! The rules for a message: size, text, id, topic, excluded sessions.

use std::time::Duration;

use bytes::Bytes;
use ringway_proto::v1::{Guarantee, Message, PayloadKind};
use ringway_proto::{Reason, Refusal};
use ringway_session::{Kind, Payload, SessionId};

use super::{CheckedSend, Keeping, RequestRules, invalid, session_id, user};

/// The longest message id, in bytes.
pub const MESSAGE_ID_BYTES_MAX: usize = 128;
/// The longest topic, in bytes.
pub const TOPIC_BYTES_MAX: usize = 255;
/// How many sessions one message may exclude.
pub const EXCLUDE_SESSIONS_MAX: usize = 1024;
/// Payloads up to this size get memory of their own.
const OWN_MEMORY_BYTES_MAX: usize = 4096;

/// A fresh message id: 16 random bytes as 32 hexadecimal digits.
pub fn new_message_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Gives the message an id if it has none, and shows it.
pub(crate) fn name_message(message: &mut Option<Message>) -> &str {
    let id = &mut message.get_or_insert_default().message_id;
    if id.is_empty() {
        *id = new_message_id();
    }
    id
}

impl RequestRules {
    /// Checks a message and gives it an id if it has none. A small payload gets memory of its own, in the request too:
    /// it came as a part of the buffer of a whole read, and while it waits for a client or a worker, it would hold all
    /// of that.
    ///
    /// # Errors
    /// `InvalidArgument` or `MessageTooLarge`.
    pub fn message(&self, message: &mut Option<Message>) -> Result<CheckedSend, Refusal> {
        let checked = message.as_mut().ok_or_else(|| invalid("the field \"message\" is missing"))?;
        let payload = self.payload(checked)?;
        let exclude = exclude(&checked.exclude_sessions)?;
        let keeping = keeping(checked)?;
        check_message_id(&checked.message_id)?;
        check_topic(&checked.topic)?;
        check_from_user(&checked.from_user)?;
        let (topic, from_user) = (checked.topic.clone(), checked.from_user.clone());
        let message_id = name_message(message).to_owned();
        Ok(CheckedSend { payload, message_id, topic, from_user, exclude, keeping })
    }

    fn payload(&self, message: &mut Message) -> Result<Payload, Refusal> {
        let (bytes, bytes_max) = (message.payload.len(), self.message_bytes_max);
        if bytes > bytes_max {
            let message = format!("the payload has {bytes} bytes; this cluster takes at most {bytes_max}");
            return Err(Refusal::new(Reason::MessageTooLarge, message));
        }
        let kind = match PayloadKind::try_from(message.kind) {
            Ok(PayloadKind::Text) => Kind::Text,
            Ok(PayloadKind::Json) => Kind::Json,
            Ok(PayloadKind::Binary) => Kind::Binary,
            Err(_) => {
                let number = message.kind;
                return Err(invalid(format!(
                    "the payload's kind is {number}; it must be 0 (text), 1 (binary) or 2 (JSON)"
                )));
            }
        };
        if bytes <= OWN_MEMORY_BYTES_MAX {
            message.payload = Bytes::copy_from_slice(&message.payload);
        }
        Payload::new(message.payload.clone(), kind).map_err(|error| invalid(error.to_string()))
    }
}

fn check_message_id(id: &str) -> Result<(), Refusal> {
    match id.len() {
        0..=MESSAGE_ID_BYTES_MAX => Ok(()),
        bytes => Err(invalid(format!(
            "the message id has {bytes} bytes; at most {MESSAGE_ID_BYTES_MAX} are allowed"
        ))),
    }
}

fn check_topic(topic: &str) -> Result<(), Refusal> {
    let bytes = topic.len();
    if bytes > TOPIC_BYTES_MAX {
        return Err(invalid(format!("the topic has {bytes} bytes; at most {TOPIC_BYTES_MAX} are allowed")));
    }
    match topic.chars().find(|c| c.is_control()) {
        Some(c) => Err(invalid(format!(
            "the topic holds the control character U+{:04X}; control characters are not allowed",
            u32::from(c)
        ))),
        None => Ok(()),
    }
}

fn check_from_user(from_user: &str) -> Result<(), Refusal> {
    match from_user {
        "" => Ok(()),
        name => user(name).map(drop),
    }
}

fn exclude(sessions: &[String]) -> Result<Vec<SessionId>, Refusal> {
    let count = sessions.len();
    if count > EXCLUDE_SESSIONS_MAX {
        return Err(invalid(format!(
            "{count} sessions are excluded; at most {EXCLUDE_SESSIONS_MAX} are allowed in one message"
        )));
    }
    sessions.iter().map(|id| session_id(id)).collect()
}

/// How a message is to be kept, if it is to be stored.
fn keeping(message: &Message) -> Result<Option<Keeping>, Refusal> {
    let time_to_live = (message.time_to_live_ms > 0).then(|| Duration::from_millis(message.time_to_live_ms));
    match Guarantee::try_from(message.guarantee) {
        Ok(Guarantee::AtMostOnce) if time_to_live.is_some() || message.until_first_ack => {
            let words =
                "time_to_live_ms and until_first_ack are for messages with the guarantee at least once";
            Err(invalid(words))
        }
        Ok(Guarantee::AtMostOnce) => Ok(None),
        Ok(Guarantee::AtLeastOnce) if !message.exclude_sessions.is_empty() => Err(invalid(
            "a message that is stored is for all sessions of its user; leave out exclude_sessions",
        )),
        Ok(Guarantee::AtLeastOnce) => {
            Ok(Some(Keeping { time_to_live, until_first_ack: message.until_first_ack }))
        }
        Err(_) => {
            let number = message.guarantee;
            let words =
                format!("the guarantee is {number}; it must be 0 (at most once) or 1 (at least once)");
            Err(invalid(words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: RequestRules = RequestRules { message_bytes_max: 8 };

    fn message() -> Message {
        Message { payload: Bytes::from_static(b"hello"), message_id: "m1".into(), ..Message::default() }
    }

    type Expected = Result<(), (Reason, &'static str)>;

    fn with(change: &dyn Fn(&mut Message)) -> Message {
        let mut message = message();
        change(&mut message);
        message
    }

    fn check(cases: impl IntoIterator<Item = (Message, Expected)>) {
        for (message, expected) in cases {
            match (RULES.message(&mut Some(message.clone())), expected) {
                (Ok(checked), Ok(())) => {
                    assert_eq!(*checked.payload.bytes(), message.payload);
                    assert_eq!((checked.topic, checked.from_user), (message.topic, message.from_user));
                }
                (Err(refusal), Err((reason, words))) => {
                    assert_eq!(refusal.reason, reason, "{refusal}");
                    assert!(refusal.message.contains(words), "{refusal}");
                }
                (got, _) => panic!("{message:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn what_is_wrong_with_what_is_to_be_stored_is_said() {
        let session = "0".repeat(32);
        check([
            (with(&|m| m.guarantee = 1), Ok(())),
            (with(&|m| (m.guarantee, m.time_to_live_ms, m.until_first_ack) = (1, 5, true)), Ok(())),
            (with(&|m| m.guarantee = 2), Err((Reason::InvalidArgument, "guarantee is 2"))),
            (with(&|m| m.time_to_live_ms = 5), Err((Reason::InvalidArgument, "time_to_live_ms"))),
            (with(&|m| m.until_first_ack = true), Err((Reason::InvalidArgument, "until_first_ack"))),
            (
                with(&|m| (m.guarantee, m.exclude_sessions) = (1, vec![session.clone()])),
                Err((Reason::InvalidArgument, "leave out exclude_sessions")),
            ),
            (with(&|m| (m.guarantee, m.from_user) = (1, "bob".into())), Ok(())),
        ]);
    }

    #[test]
    fn what_is_wrong_with_a_message_is_said() {
        let session = "0".repeat(32);
        let cases: [(Message, Expected); 22] = [
            (message(), Ok(())),
            (with(&|m| m.payload = Bytes::new()), Ok(())),
            (with(&|m| m.payload = Bytes::from_static(b"12345678")), Ok(())),
            (
                with(&|m| m.payload = Bytes::from_static(b"123456789")),
                Err((Reason::MessageTooLarge, "has 9 bytes; this cluster takes at most 8")),
            ),
            (with(&|m| m.payload = Bytes::from_static(b"\xff")), Err((Reason::InvalidArgument, "UTF-8"))),
            (with(&|m| (m.payload, m.kind) = (Bytes::from_static(b"\xff"), 1)), Ok(())),
            (with(&|m| (m.payload, m.kind) = (Bytes::from_static(b"{\"a\":1}"), 2)), Ok(())),
            (with(&|m| m.kind = 2), Err((Reason::InvalidArgument, "one JSON value"))),
            (with(&|m| m.kind = 3), Err((Reason::InvalidArgument, "kind is 3"))),
            (with(&|m| m.topic = "chat/room 7 ålice".into()), Ok(())),
            (with(&|m| m.topic = "x".repeat(255)), Ok(())),
            (with(&|m| m.topic = "x".repeat(256)), Err((Reason::InvalidArgument, "topic has 256 bytes"))),
            (with(&|m| m.topic = "a\nb".into()), Err((Reason::InvalidArgument, "U+000A"))),
            (with(&|m| m.topic = "a\u{85}b".into()), Err((Reason::InvalidArgument, "U+0085"))),
            (with(&|m| m.message_id = "x".repeat(128)), Ok(())),
            (with(&|m| m.message_id = "x".repeat(129)), Err((Reason::InvalidArgument, "has 129 bytes"))),
            (with(&|m| m.from_user = "bob".into()), Ok(())),
            (
                with(&|m| m.from_user = "a\nb".into()),
                Err((Reason::InvalidArgument, "user holds the control")),
            ),
            (with(&|m| m.from_user = "x".repeat(256)), Err((Reason::InvalidArgument, "user has 256 bytes"))),
            (with(&|m| m.exclude_sessions = vec![session.clone(); 1024]), Ok(())),
            (
                with(&|m| m.exclude_sessions = vec![session.clone(); 1025]),
                Err((Reason::InvalidArgument, "1025 sessions are excluded")),
            ),
            (
                with(&|m| m.exclude_sessions = vec!["x".into()]),
                Err((Reason::InvalidArgument, "32 hexadecimal digits")),
            ),
        ];
        check(cases);
        assert!(RULES.message(&mut None).is_err());
    }

    #[test]
    fn a_small_payload_does_not_hold_the_buffer_in_which_it_came() {
        let rules = RequestRules::new(8192);
        for (bytes, holds) in [(0, false), (1, false), (4096, false), (4097, true)] {
            let buffer = Bytes::from(vec![b'x'; 65_536]);
            let mut request = Some(Message { payload: buffer.slice(1..=bytes), ..message() });
            let checked = rules.message(&mut request).unwrap();
            assert_eq!(*checked.payload.bytes(), buffer[1..=bytes]);
            assert_eq!(buffer.is_unique(), !holds, "{bytes} bytes, in the request or in what came out of it");
            let forwarded = request.unwrap().payload;
            assert_eq!(
                forwarded.as_ptr(),
                checked.payload.bytes().as_ptr(),
                "{bytes} bytes: one copy for both"
            );
        }
    }

    #[test]
    fn a_message_without_an_id_gets_one_in_the_request_too() {
        let mut request = Some(Message { message_id: String::new(), ..message() });
        let checked = RULES.message(&mut request).unwrap();
        assert_eq!(checked.message_id.len(), 32);
        assert_eq!(request.unwrap().message_id, checked.message_id);
        assert_ne!(new_message_id(), new_message_id());
    }
}
