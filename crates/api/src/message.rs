//! The body of a send: a JSON object whose fields have the names of the gRPC message's (`message.proto`), and one of three
//! instead of its payload.
//!
//! What is no field, stands twice, is of another type or contradicts another one is refused by its name. What a message may be
//! is for the sender's rules to say, which are those of every node.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ringway_sender::{Payload, SendCall, SessionId, UserId};
use serde::{Deserialize, Deserializer};
use serde_json::Number;
use serde_json::value::RawValue;

use crate::refusal::Refusal;

/// The longest time to live, in milliseconds: a year, as long as any mailbox keeps anything.
const TIME_TO_LIVE_MS_MAX: u64 = 365 * 24 * 60 * 60 * 1_000;
/// The longest wait for an acknowledgement, in milliseconds.
const WAIT_ACKNOWLEDGED_MS_MAX: u64 = 60_000;

/// What is to be sent.
#[derive(Debug)]
pub(crate) struct Message {
    /// What the clients receive.
    pub(crate) payload: Payload,
    /// Everything else.
    pub(crate) options: Options,
}

/// How it is to be sent.
#[derive(Debug)]
pub(crate) struct Options {
    /// Its id, if the caller has one for it.
    pub(crate) message_id: Option<String>,
    topic: Option<String>,
    from_user: Option<UserId>,
    exclude_sessions: Vec<SessionId>,
    keeping: Option<Keeping>,
}

/// How it is to be stored.
#[derive(Debug, Default)]
struct Keeping {
    time_to_live: Duration,
    until_first_ack: bool,
    wait_acknowledged: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Guarantee {
    AtMostOnce,
    AtLeastOnce,
}

/// The fields as they came: each is understood by itself, so that what is wrong is said with its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "given")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    text: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    base64: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    topic: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    from_user: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    message_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    exclude_sessions: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    guarantee: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    time_to_live_ms: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    until_first_ack: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    wait_acknowledged_ms: Option<&'a RawValue>,
}

impl Message {
    /// Reads a body.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        // A struct is read from a list, too.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(invalid(
                "the body must be a JSON object, such as {\"topic\":\"chat\",\"data\":{\"a\":1}}",
            ));
        }
        let fields: Fields<'_> =
            serde_json::from_slice(body).map_err(|error| invalid(format!("the body: {error}")))?;
        Ok(Self { payload: fields.payload()?, options: fields.options()? })
    }
}

impl Options {
    /// Sends it so.
    pub(crate) fn apply(self, mut call: SendCall) -> SendCall {
        call = call.message_id(self.message_id.unwrap_or_default()).topic(self.topic.unwrap_or_default());
        call = call.exclude_sessions(self.exclude_sessions);
        if let Some(user) = self.from_user {
            call = call.from_user(user.as_str());
        }
        let Some(keeping) = self.keeping else { return call };
        call = call.at_least_once().time_to_live(keeping.time_to_live);
        call = call.wait_acknowledged(keeping.wait_acknowledged);
        if keeping.until_first_ack { call.until_first_ack() } else { call }
    }
}

impl Fields<'_> {
    fn payload(&self) -> Result<Payload, Refusal> {
        match (self.data, self.text, self.base64) {
            // As it came, byte for byte.
            (Some(data), None, None) => Ok(Payload::json_text(data.get().to_owned())),
            (None, Some(_), None) => {
                Ok(Payload::text(read::<String>("text", self.text)?.unwrap_or_default()))
            }
            (None, None, Some(_)) => {
                let text: String = read("base64", self.base64)?.unwrap_or_default();
                let bytes = BASE64_STANDARD.decode(text).map_err(|error| {
                    invalid(format!("`base64`: {error}; expected base64 with padding (RFC 4648 section 4)"))
                })?;
                Ok(Payload::binary(bytes))
            }
            _ => Err(invalid("expected exactly one of `data` (any JSON), `text` and `base64`")),
        }
    }

    fn options(&self) -> Result<Options, Refusal> {
        let message_id: Option<String> = read("message_id", self.message_id)?;
        if message_id.as_deref() == Some("") {
            return Err(invalid("`message_id` is empty; leave it out to have one made"));
        }
        let from_user = read::<String>("from_user", self.from_user)?;
        let from_user = from_user.map(|user| UserId::new(&user)).transpose();
        let sessions: Option<Vec<String>> = read("exclude_sessions", self.exclude_sessions)?;
        let sessions = sessions.unwrap_or_default().iter().map(|id| id.parse()).collect::<Result<_, _>>();
        Ok(Options {
            message_id,
            topic: read("topic", self.topic)?,
            from_user: from_user.map_err(|error| invalid(format!("`from_user`: {error}")))?,
            exclude_sessions: sessions.map_err(|error| invalid(format!("`exclude_sessions`: {error}")))?,
            keeping: self.keeping()?,
        })
    }

    fn keeping(&self) -> Result<Option<Keeping>, Refusal> {
        let guarantee = read("guarantee", self.guarantee)?.unwrap_or(Guarantee::AtMostOnce);
        let (of_stored, of_others) = (
            [
                ("time_to_live_ms", self.time_to_live_ms),
                ("until_first_ack", self.until_first_ack),
                ("wait_acknowledged_ms", self.wait_acknowledged_ms),
            ],
            [("exclude_sessions", self.exclude_sessions)],
        );
        let name_of = |fields: &[(&'static str, Option<&RawValue>)]| {
            fields.iter().find(|(_, raw)| raw.is_some()).map(|(name, _)| *name)
        };
        match (guarantee, name_of(&of_stored), name_of(&of_others)) {
            (Guarantee::AtMostOnce, Some(name), _) => Err(invalid(format!(
                "`{name}` is for messages that are stored: add \"guarantee\":\"at_least_once\", or leave it out"
            ))),
            (Guarantee::AtMostOnce, None, _) => Ok(None),
            (Guarantee::AtLeastOnce, _, Some(name)) => Err(invalid(format!(
                "a message that is stored is for all sessions of its user; leave out `{name}`"
            ))),
            (Guarantee::AtLeastOnce, _, None) => Ok(Some(Keeping {
                time_to_live: millis("time_to_live_ms", self.time_to_live_ms, TIME_TO_LIVE_MS_MAX)?,
                until_first_ack: read("until_first_ack", self.until_first_ack)?.unwrap_or_default(),
                wait_acknowledged: millis(
                    "wait_acknowledged_ms",
                    self.wait_acknowledged_ms,
                    WAIT_ACKNOWLEDGED_MS_MAX,
                )?,
            })),
        }
    }
}

/// A field that is there, also if it is null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

fn read<'a, T: Deserialize<'a>>(name: &str, raw: Option<&'a RawValue>) -> Result<Option<T>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map(Some).map_err(|error| {
        let told = error.to_string();
        // The place in the field's own text means nothing to who sees the whole.
        let words = told.split_once(" at line ").map_or(told.as_str(), |(words, _)| words);
        invalid(format!("`{name}`: {words}"))
    })
}

/// A whole number, also one that was written with a point (`5.0`), as by languages that have no other numbers.
fn millis(name: &str, raw: Option<&RawValue>, max: u64) -> Result<Duration, Refusal> {
    let Some(number) = read::<Number>(name, raw)? else { return Ok(Duration::ZERO) };
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && *float >= 0.0 && *float <= max as f64);
    let millis = number.as_u64().or_else(|| float.map(|float| float as u64)).filter(|millis| *millis <= max);
    let told = || invalid(format!("`{name}` is {number}; expected a whole number from 0 to {max}"));
    millis.map(Duration::from_millis).ok_or_else(told)
}

fn invalid(words: impl Into<String>) -> Refusal {
    Refusal::Invalid(words.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_data_text_or_base64() {
        let cases = [
            (r#"{"data":{"a": 1.50}}"#, Payload::json_text(r#"{"a": 1.50}"#)),
            (r#" {"data":null}"#, Payload::json_text("null")),
            (r#"{"data":"text"}"#, Payload::json_text("\"text\"")),
            (r#"{"text":"z\u0061\n"}"#, Payload::text("za\n")),
            (r#"{"text":""}"#, Payload::text("")),
            (r#"{"base64":"AP8="}"#, Payload::binary(vec![0, 255])),
        ];
        for (body, expected) in cases {
            assert_eq!(Message::read(body.as_bytes()).unwrap().payload, expected, "{body}");
        }
    }

    #[test]
    fn options_are_taken_by_name() {
        let session = "0123456789abcdef0123456789abcdef";
        let body = format!(
            r#"{{"data":1,"topic":"t","from_user":"bob","message_id":"m","exclude_sessions":["{session}"]}}"#
        );
        let options = Message::read(body.as_bytes()).unwrap().options;
        assert_eq!((options.topic.as_deref(), options.message_id.as_deref()), (Some("t"), Some("m")));
        assert_eq!(options.from_user, Some(UserId::new("bob").unwrap()));
        assert_eq!(options.exclude_sessions, [session.parse().unwrap()]);
        assert!(options.keeping.is_none());
        let body = r#"{"data":1,"guarantee":"at_least_once","time_to_live_ms":5.0,"until_first_ack":true,
                       "wait_acknowledged_ms":60000}"#;
        let keeping = Message::read(body.as_bytes()).unwrap().options.keeping.unwrap();
        let expected = (Duration::from_millis(5), true, Duration::from_secs(60));
        assert_eq!((keeping.time_to_live, keeping.until_first_ack, keeping.wait_acknowledged), expected);
    }

    #[test]
    fn what_is_wrong_is_said_by_its_name() {
        let one_payload = "exactly one of `data` (any JSON), `text` and `base64`";
        let cases = [
            ("", "must be a JSON object"),
            ("[]", "must be a JSON object"),
            (r#"["a","b"]"#, "must be a JSON object"),
            ("{", "EOF while parsing"),
            (r#"{"data":1} 2"#, "trailing characters"),
            (r#"{"data":1,"data":2}"#, "duplicate field `data`"),
            (
                r#"{"data":1,"ttl":5}"#,
                "unknown field `ttl`, expected one of `data`, `text`, `base64`, `topic`",
            ),
            (r#"{"data":{"a":}}"#, "expected value"),
            ("{\"data\":\"\u{1}\"}", "control character"),
            ("{}", one_payload),
            (r#"{"data":1,"text":"a"}"#, one_payload),
            (r#"{"text":1}"#, "`text`: invalid type: integer `1`, expected a string"),
            (r#"{"text":null}"#, "`text`: invalid type: null, expected a string"),
            (r#"{"base64":"AP8"}"#, "`base64`: "),
            (r#"{"base64":"A_8="}"#, "`base64`: "),
            (r#"{"data":1,"topic":null}"#, "`topic`: invalid type: null"),
            (r#"{"data":1,"message_id":""}"#, "`message_id` is empty"),
            (r#"{"data":1,"from_user":""}"#, "`from_user`: the user is empty"),
            (r#"{"data":1,"exclude_sessions":["x"]}"#, "`exclude_sessions`: a session id is 32 hexadecimal"),
            (r#"{"data":1,"guarantee":"exactly_once"}"#, "`guarantee`: unknown variant `exactly_once`"),
            (
                r#"{"data":1,"wait_acknowledged_ms":0}"#,
                "`wait_acknowledged_ms` is for messages that are stored",
            ),
            (
                r#"{"data":1,"guarantee":"at_least_once","exclude_sessions":[]}"#,
                "leave out `exclude_sessions`",
            ),
            (
                r#"{"data":1,"guarantee":"at_least_once","time_to_live_ms":-1}"#,
                "is -1; expected a whole number from 0 to 31536000000",
            ),
            (
                r#"{"data":1,"guarantee":"at_least_once","time_to_live_ms":"5m"}"#,
                "`time_to_live_ms`: invalid type: string \"5m\"",
            ),
            (
                r#"{"data":1,"guarantee":"at_least_once","wait_acknowledged_ms":60001}"#,
                "is 60001; expected a whole number from 0 to 60000",
            ),
        ];
        for (body, words) in cases {
            let refusal = Message::read(body.as_bytes()).unwrap_err();
            assert!(matches!(refusal, Refusal::Invalid(_)), "{body}: {refusal:?}");
            assert!(refusal.to_string().contains(words), "{body}: {refusal}");
        }
        assert!(Message::read(b"{\"text\":\"\xff\"}").is_err());
    }
}
