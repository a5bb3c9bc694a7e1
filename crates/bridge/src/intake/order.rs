//! What a delivery from RabbitMQ asks for, pure: its target, its payload and its names.

use bytes::Bytes;
use ringway_sender::Payload;

use super::verdict::{DeadReason, Guarantee};

/// The header that names the target, instead of the routing key.
pub const TARGET_HEADER: &str = "ringway-target";
/// The header that names the topic.
pub const TOPIC_HEADER: &str = "ringway-topic";
/// The header that says what is promised of this message: `at_most_once` or `at_least_once`.
pub const GUARANTEE_HEADER: &str = "ringway-guarantee";

/// What is looked at of a delivery.
#[derive(Clone, Debug, Default)]
pub(crate) struct Incoming<'a> {
    pub(crate) routing_key: &'a str,
    /// Of the header `ringway-target`.
    pub(crate) target: Option<&'a str>,
    /// Of the header `ringway-topic`.
    pub(crate) topic: Option<&'a str>,
    /// Of the header `ringway-guarantee`.
    pub(crate) guarantee: Option<&'a str>,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) message_id: Option<&'a str>,
    pub(crate) body: Bytes,
}

/// To whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    User(String),
    Group(String),
    All,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) target: Target,
    pub(crate) payload: Payload,
    pub(crate) topic: String,
    pub(crate) message_id: Option<String>,
    /// None: what the configuration says.
    pub(crate) guarantee: Option<Guarantee>,
}

/// The delivery does not say what is to be done with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    #[error("{what} is {found:?}; expected user.NAME, group.NAME or all")]
    Target {
        /// Where the target was looked for.
        what: &'static str,
        found: String,
    },
    #[error("the header ringway-guarantee is {found:?}; expected at_most_once or at_least_once")]
    Guarantee { found: String },
}

impl Unclear {
    pub(crate) fn reason(&self) -> DeadReason {
        let word = match self {
            Unclear::Target { .. } => "no_target",
            Unclear::Guarantee { .. } => "invalid_argument",
        };
        DeadReason::new(word, self.to_string())
    }
}

impl Incoming<'_> {
    /// What it asks for. Names and payloads are checked by the sender.
    ///
    /// # Errors
    /// [`Unclear`].
    pub(crate) fn read(self) -> Result<Order, Unclear> {
        let target = match self.target {
            Some(named) => target_of(named).ok_or_else(|| no_target("the header ringway-target", named)),
            None => target_of(self.routing_key).ok_or_else(|| no_target("the routing key", self.routing_key)),
        }?;
        Ok(Order {
            target,
            payload: payload_of(self.content_type, self.body),
            topic: self.topic.unwrap_or_default().to_owned(),
            message_id: self.message_id.filter(|id| !id.is_empty()).map(str::to_owned),
            guarantee: self.guarantee.map(guarantee_of).transpose()?,
        })
    }
}

fn target_of(text: &str) -> Option<Target> {
    if text == "all" {
        return Some(Target::All);
    }
    let (kind, name) = text.split_once('.').filter(|(_, name)| !name.is_empty())?;
    match kind {
        "user" => Some(Target::User(name.to_owned())),
        "group" => Some(Target::Group(name.to_owned())),
        _ => None,
    }
}

fn no_target(what: &'static str, found: &str) -> Unclear {
    Unclear::Target { what, found: found.to_owned() }
}

fn guarantee_of(text: &str) -> Result<Guarantee, Unclear> {
    match text {
        "at_most_once" => Ok(Guarantee::AtMostOnce),
        "at_least_once" => Ok(Guarantee::AtLeastOnce),
        _ => Err(Unclear::Guarantee { found: text.to_owned() }),
    }
}

/// JSON for `application/json` and `+json`, text for `text/…`, binary for everything else (RFC 6838 section 4.2.8).
fn payload_of(content_type: Option<&str>, body: Bytes) -> Payload {
    let content_type = content_type.unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &*kind {
        "application/json" => Payload::json_text(body),
        kind if kind.ends_with("+json") => Payload::json_text(body),
        kind if kind.starts_with("text/") => Payload::text_bytes(body),
        _ => Payload::binary(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_in_the_header_or_else_in_the_routing_key() {
        let user = |name: &str| Ok(Target::User(name.to_owned()));
        let wrong = |what, found| Err(no_target(what, found));
        let cases = [
            ("user.alice", None, user("alice")),
            ("user.a.b-c", None, user("a.b-c")),
            ("group.room7", None, Ok(Target::Group("room7".to_owned()))),
            ("all", None, Ok(Target::All)),
            ("jobs", Some("user.alice"), user("alice")),
            ("user.bob", Some("all"), Ok(Target::All)),
            ("user.", None, wrong("the routing key", "user.")),
            ("user", None, wrong("the routing key", "user")),
            ("all.alice", None, wrong("the routing key", "all.alice")),
            ("", None, wrong("the routing key", "")),
            ("user.bob", Some("alice"), wrong("the header ringway-target", "alice")),
        ];
        for (routing_key, target, expected) in cases {
            let read = Incoming { routing_key, target, ..Incoming::default() }.read();
            assert_eq!(read.map(|order| order.target), expected, "{routing_key} {target:?}");
        }
        let told = no_target("the routing key", "x").to_string();
        assert_eq!(told, "the routing key is \"x\"; expected user.NAME, group.NAME or all");
    }

    #[test]
    fn the_content_type_decides_what_clients_get() {
        let body = Bytes::from_static(b"{}");
        let cases = [
            (Some("application/json"), Payload::json_text(body.clone())),
            (Some("Application/JSON; charset=utf-8"), Payload::json_text(body.clone())),
            (Some("application/problem+json"), Payload::json_text(body.clone())),
            (Some("text/plain"), Payload::text_bytes(body.clone())),
            (Some("text/html; charset=utf-8"), Payload::text_bytes(body.clone())),
            (Some("application/octet-stream"), Payload::binary(body.clone())),
            (Some("json"), Payload::binary(body.clone())),
            (None, Payload::binary(body.clone())),
        ];
        for (content_type, expected) in cases {
            let incoming =
                Incoming { routing_key: "all", content_type, body: body.clone(), ..Incoming::default() };
            assert_eq!(incoming.read().map(|order| order.payload), Ok(expected), "{content_type:?}");
        }
    }

    #[test]
    fn what_is_promised_of_a_message_is_in_its_header() {
        let wrong = |found: &str| Err(Unclear::Guarantee { found: found.to_owned() });
        let cases = [
            (None, Ok(None)),
            (Some("at_most_once"), Ok(Some(Guarantee::AtMostOnce))),
            (Some("at_least_once"), Ok(Some(Guarantee::AtLeastOnce))),
            (Some("exactly_once"), wrong("exactly_once")),
            (Some(""), wrong("")),
        ];
        for (guarantee, expected) in cases {
            let read = Incoming { routing_key: "all", guarantee, ..Incoming::default() }.read();
            assert_eq!(read.map(|order| order.guarantee), expected, "{guarantee:?}");
        }
        assert_eq!(Unclear::Guarantee { found: String::new() }.reason().word, "invalid_argument");
    }

    #[test]
    fn names_come_along() {
        let named = |message_id, topic| {
            let incoming = Incoming { routing_key: "all", message_id, topic, ..Incoming::default() };
            incoming.read().map(|order| (order.message_id, order.topic))
        };
        assert_eq!(named(Some("m1"), Some("news")), Ok((Some("m1".to_owned()), "news".to_owned())));
        assert_eq!(named(Some(""), None), Ok((None, String::new())));
    }
}
