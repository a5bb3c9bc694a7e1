//! What happens to a client that speaks `ringway.v1.json`.

use std::ops::RangeInclusive;
use std::time::Duration;

use ringway_client::{Content, Continuity, ErrorFrame, Mailbox, Message, Welcome};
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
        let Mailbox { place, recovered } = mailbox;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_hex: Option<String>,
}

impl<'a> MessageEvent<'a> {
    fn of(message: &'a Message) -> anyhow::Result<Self> {
        let Message { offset, id, topic, content, stored } = message;
        let stored = stored.map(|place| place.to_string());
        let (data, data_hex) = match content {
            Content::Data(json) => (Some(RawValue::from_string(on_one_line(json))?), None),
            Content::Binary(bytes) => (None, Some(hex(bytes))),
        };
        Ok(MessageEvent { event: "message", offset: *offset, id, topic, stored, data, data_hex })
    }
}

/// The topic, if there is one, and the content: a text as it is, another value as JSON.
fn message_text(message: &Message) -> String {
    let content = match &message.content {
        Content::Data(json) => message.content.text().unwrap_or_else(|| on_one_line(json)),
        Content::Binary(bytes) => binary_text(bytes),
    };
    if message.topic.is_empty() { content } else { format!("[{}] {content}", message.topic) }
}

/// A JSON value on one line: its strings hold no line breaks, so all that there are stand between its parts.
fn on_one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_with_its_topic() {
        let check = |topic: &str, content: Content, human: &str, event: &str| {
            let (id, topic_text, stored) = ("m".to_owned(), topic.to_owned(), None);
            let message = Message { offset: 3, id, topic: topic_text, content, stored };
            assert_eq!(message_text(&message), human);
            let told = serde_json::to_string(&MessageEvent::of(&message).unwrap()).unwrap();
            let beginning = format!(r#"{{"event":"message","offset":3,"id":"m","topic":"{topic}","#);
            assert_eq!(told, format!("{beginning}{event}}}"));
        };
        let data = |json: &str| Content::Data(json.to_owned());
        check("", data(r#""hi \"you\"""#), r#"hi "you""#, r#""data":"hi \"you\"""#);
        check("chat", data("{\"a\":\n1.50}"), "[chat] {\"a\": 1.50}", "\"data\":{\"a\": 1.50}");
        check("", Content::Binary(vec![0, 255].into()), "[binary, 2 bytes] 00ff", r#""data_hex":"00ff""#);
    }
}
