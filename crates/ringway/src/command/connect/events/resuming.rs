//! What happens to a client that speaks `ringway.v1.json`.

use std::ops::RangeInclusive;
use std::time::Duration;

use ringway_client::{Content, Continuity, ErrorFrame, Mailbox, Message, Presence, Receipt, Reply, Welcome};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Events, binary_text, hex};
use crate::output::{self, Form};

impl Events {
    /// The connection stands. The resume token is nobody's business.
    pub(in super::super) fn welcomed(
        self,
        url: &str,
        welcome: &Welcome,
        continuity: Continuity,
    ) -> anyhow::Result<()> {
        let (name, words) = match continuity {
            Continuity::New => ("new", format!("connected to {url}, session {}", welcome.session)),
            Continuity::Recovered => ("recovered", "connected again: nothing was missed".to_owned()),
            Continuity::Lost => ("lost", "connected again: messages may have been missed".to_owned()),
        };
        let event = json!({
            "event": "welcome",
            "continuity": name,
            "session": welcome.session,
            "epoch": welcome.epoch,
            "offset": welcome.offset,
            "recovered": welcome.recovered,
        });
        self.tell(&event, &words)
    }

    /// Stored messages come from here on.
    pub(in super::super) fn mailbox(self, mailbox: Mailbox) -> anyhow::Result<()> {
        let Mailbox { place, recovered, .. } = mailbox;
        let words = match recovered {
            true => format!("mailbox: from {place} on"),
            false => format!("mailbox: from {place} on; messages before that are lost"),
        };
        let event = json!({ "event": "mailbox", "place": place.to_string(), "recovered": recovered });
        self.tell(&event, &words)
    }

    /// A message came.
    pub(in super::super) fn message(self, message: &Message) -> anyhow::Result<()> {
        match self.0 {
            Form::Human => output::line(message_text(message)),
            Form::Json => output::json(&MessageEvent::of(message)?),
        }
    }

    /// So it is with users who are watched.
    pub(in super::super) fn presence(self, users: &[Presence]) -> anyhow::Result<()> {
        let user = |Presence { user, online }: &Presence| json!({ "user": user, "online": online });
        match self.0 {
            Form::Human => output::line(presence_text(users)),
            Form::Json => output::json(
                &json!({ "event": "presence", "users": users.iter().map(user).collect::<Vec<_>>() }),
            ),
        }
    }

    /// Messages will not come.
    pub(in super::super) fn missed(self, offsets: &RangeInclusive<u64>) -> anyhow::Result<()> {
        let (first, last) = (offsets.start(), offsets.end());
        let words = if first == last {
            format!("missed: message {first}")
        } else {
            format!("missed: messages {first} to {last}")
        };
        self.tell(&json!({ "event": "missed", "first": first, "last": last }), &words)
    }

    /// The server acted upon what was typed.
    pub(in super::super) fn replied(self, reply: &Reply) -> anyhow::Result<()> {
        let Reply { reference, receipt } = reply;
        let Some(Receipt { outcome, sessions, id }) = receipt else {
            return self.tell(&json!({ "event": "reply", "ref": reference }), &format!("done ({reference})"));
        };
        let event = json!({
            "event": "reply", "ref": reference, "outcome": outcome, "sessions": sessions, "id": id,
        });
        self.tell(&event, &format!("{outcome} ({reference}): {sessions} sessions, id {id}"))
    }

    /// The socket went before the answer to what was typed came.
    pub(in super::super) fn unanswered(self, reference: &str) -> anyhow::Result<()> {
        let event = json!({ "event": "unanswered", "ref": reference });
        self.tell(&event, &format!("no answer came ({reference}): it may or may not have been done"))
    }

    /// What was typed was not sent.
    pub(in super::super) fn not_sent(self, why: &str) -> anyhow::Result<()> {
        self.tell(&json!({ "event": "not_sent", "message": why }), &format!("not sent: {why}"))
    }

    /// The server did not act upon what was typed.
    pub(in super::super) fn rejected(self, error: &ErrorFrame) -> anyhow::Result<()> {
        let ErrorFrame { reference, code, message } = error;
        let event = json!({ "event": "error", "ref": reference, "code": code, "message": message });
        self.tell(&event, &format!("rejected ({code}): {message}"))
    }

    /// It connects again after a delay.
    pub(in super::super) fn waiting(self, delay: Duration) -> anyhow::Result<()> {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let words = format!("connecting again in {:.1} s", delay.as_secs_f64());
        self.tell(&json!({ "event": "waiting", "delay_ms": delay_ms }), &words)
    }
}

/// All of a message's frame.
#[derive(Serialize)]
struct MessageEvent<'a> {
    event: &'static str,
    offset: u64,
    id: &'a str,
    topic: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_hex: Option<String>,
}

impl<'a> MessageEvent<'a> {
    fn of(message: &'a Message) -> anyhow::Result<Self> {
        let Message { offset, id, topic, from, content, stored } = message;
        let stored = stored.map(|place| place.to_string());
        let (data, data_hex) = match content {
            Content::Data(json) => (Some(RawValue::from_string(on_one_line(json))?), None),
            Content::Binary(bytes) => (None, Some(hex(bytes))),
        };
        Ok(MessageEvent { event: "message", offset: *offset, id, topic, from, stored, data, data_hex })
    }
}

/// The topic and the sender, if there are such, and the content: a text as it is, another value as JSON.
fn message_text(message: &Message) -> String {
    let content = match &message.content {
        Content::Data(json) => message.content.text().unwrap_or_else(|| on_one_line(json)),
        Content::Binary(bytes) => binary_text(bytes),
    };
    let topic = if message.topic.is_empty() { String::new() } else { format!("[{}] ", message.topic) };
    let from = if message.from.is_empty() { String::new() } else { format!("{}: ", message.from) };
    format!("{topic}{from}{content}")
}

/// A line for each user.
fn presence_text(users: &[Presence]) -> String {
    let line = |Presence { user, online }: &Presence| {
        format!("{user} is {}", if *online { "online" } else { "offline" })
    };
    users.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A JSON value on one line: its strings hold no line breaks, so all that there are stand between its parts.
fn on_one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_is_shown_on_a_line() {
        let user = |user: &str, online| Presence { user: user.to_owned(), online };
        let text = presence_text(&[user("bob", true), user("carol", false)]);
        assert_eq!(text, "bob is online\ncarol is offline");
    }

    #[test]
    fn a_message_is_shown_with_its_topic() {
        let check = |(topic, from): (&str, &str), content: Content, human: &str, event: &str| {
            let (id, from) = ("m".to_owned(), from.to_owned());
            let message = Message { offset: 3, id, topic: topic.to_owned(), from, content, stored: None };
            assert_eq!(message_text(&message), human);
            let told = serde_json::to_string(&MessageEvent::of(&message).unwrap()).unwrap();
            let beginning = format!(r#"{{"event":"message","offset":3,"id":"m","topic":"{topic}","#);
            assert_eq!(told, format!("{beginning}{event}}}"));
        };
        let data = |json: &str| Content::Data(json.to_owned());
        check(("", ""), data(r#""hi \"you\"""#), r#"hi "you""#, r#""data":"hi \"you\"""#);
        check(("chat", "bob"), data("1"), "[chat] bob: 1", r#""from":"bob","data":1"#);
        check(("chat", ""), data("{\"a\":\n1.50}"), "[chat] {\"a\": 1.50}", "\"data\":{\"a\": 1.50}");
        check(
            ("", ""),
            Content::Binary(vec![0, 255].into()),
            "[binary, 2 bytes] 00ff",
            r#""data_hex":"00ff""#,
        );
    }
}
