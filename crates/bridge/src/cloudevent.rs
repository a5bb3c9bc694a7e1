//! Events as CloudEvents 1.0, pure (docs/events.md). One form for all: structured JSON.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringway_proto::v1::event::What;
use ringway_proto::v1::{ClientSent, DisconnectReason, Event, PayloadKind};
use serde_json::{Map, Value, json};

/// The longest routing key, in bytes (AMQP 0-9-1 section 4.2.5.3: a short string).
const ROUTING_KEY_BYTES_MAX: usize = 255;

/// The word for what happened: `connected`, `disconnected` or `message`.
pub(crate) fn kind(event: &Event) -> &'static str {
    match event.what {
        Some(What::Connected(_)) => "connected",
        Some(What::Disconnected(_)) => "disconnected",
        Some(What::Message(_)) => "message",
        None => "unknown",
    }
}

/// `KIND.USER`; of a user's name as much as fits.
pub(crate) fn routing_key(event: &Event) -> String {
    let mut key = format!("{}.{}", kind(event), event.user);
    if key.len() > ROUTING_KEY_BYTES_MAX {
        key.truncate(key.floor_char_boundary(ROUTING_KEY_BYTES_MAX));
    }
    key
}

/// The event as a CloudEvent.
pub fn json(event: &Event) -> Value {
    let time = UNIX_EPOCH + Duration::from_millis(event.time_ms);
    json!({
        "specversion": "1.0",
        "id": event.id,
        "source": format!("/ringway/workers/{}", event.worker),
        "type": format!("ringway.{}", kind(event)),
        "subject": event.user,
        "time": humantime::format_rfc3339_millis(time).to_string(),
        "datacontenttype": "application/json",
        "sequence": format!("{:020}", event.sequence),
        "data": data(event),
    })
}

fn data(event: &Event) -> Value {
    let mut data = Map::new();
    let mut add = |key: &str, value: Value| _ = data.insert(key.to_owned(), value);
    add("user", json!(event.user));
    add("session", json!(event.session_id));
    add("groups", json!(event.groups));
    add("remote_address", json!(event.remote_address));
    add("gateway", json!(event.gateway));
    match &event.what {
        Some(What::Connected(connected)) => add("subprotocol", json!(connected.subprotocol)),
        Some(What::Disconnected(gone)) => {
            add("reason", json!(reason(gone.reason())));
            add("code", json!(gone.code));
            add("lasted_ms", json!(gone.lasted_ms));
        }
        Some(What::Message(sent)) => {
            add("topic", json!(sent.topic));
            add("ref", json!(sent.reference));
            let (key, payload) = payload(sent);
            add(key, payload);
        }
        None => {}
    }
    Value::Object(data)
}

fn reason(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::ClientLeft => "client_left",
        DisconnectReason::Closed => "closed",
        DisconnectReason::Expired => "expired",
        DisconnectReason::Unspecified => "unknown",
    }
}

/// JSON as a value, text as a string, binary in base64 under a name of its own.
fn payload(sent: &ClientSent) -> (&'static str, Value) {
    let text = || std::str::from_utf8(&sent.payload).ok().map(|text| Value::String(text.to_owned()));
    let value = match sent.kind() {
        PayloadKind::Json => serde_json::from_slice(&sent.payload).ok(),
        PayloadKind::Text => text(),
        PayloadKind::Binary => None,
    };
    match value {
        Some(value) => ("payload", value),
        None => ("payload_base64", Value::String(STANDARD.encode(&sent.payload))),
    }
}

#[cfg(test)]
mod tests {
    use ringway_proto::v1::{Connected, Disconnected};

    use super::*;

    fn event(what: What) -> Event {
        Event {
            id: "w1-0000000000000007-3".into(),
            sequence: 3,
            time_ms: 1_700_000_000_123,
            worker: "w1".into(),
            user: "alice".into(),
            session_id: "0b".into(),
            groups: vec!["room7".into()],
            remote_address: "10.0.0.9:4711".into(),
            gateway: "g1".into(),
            what: Some(what),
        }
    }

    fn sent(kind: PayloadKind, payload: &'static [u8]) -> What {
        let payload = bytes::Bytes::from_static(payload);
        What::Message(ClientSent { topic: "chat".into(), reference: "7".into(), payload, kind: kind.into() })
    }

    #[test]
    fn the_attributes_are_those_of_cloudevents() {
        let expected = json!({
            "specversion": "1.0",
            "id": "w1-0000000000000007-3",
            "source": "/ringway/workers/w1",
            "type": "ringway.connected",
            "subject": "alice",
            "time": "2023-11-14T22:13:20.123Z",
            "datacontenttype": "application/json",
            "sequence": "00000000000000000003",
            "data": {
                "user": "alice",
                "session": "0b",
                "groups": ["room7"],
                "remote_address": "10.0.0.9:4711",
                "gateway": "g1",
                "subprotocol": "ringway.v1.json",
            },
        });
        let connected = What::Connected(Connected { subprotocol: "ringway.v1.json".into() });
        assert_eq!(json(&event(connected)), expected);
    }

    #[test]
    fn each_kind_has_its_data() {
        let reason = DisconnectReason::Closed.into();
        let gone = What::Disconnected(Disconnected { reason, code: 4401, lasted_ms: 9 });
        let cases = [
            (gone, json!({ "reason": "closed", "code": 4401, "lasted_ms": 9 })),
            (
                sent(PayloadKind::Json, b"{\"a\":1}"),
                json!({ "topic": "chat", "ref": "7", "payload": {"a": 1} }),
            ),
            (sent(PayloadKind::Text, b"{}"), json!({ "topic": "chat", "ref": "7", "payload": "{}" })),
            (
                sent(PayloadKind::Binary, b"\0\x01"),
                json!({ "topic": "chat", "ref": "7", "payload_base64": "AAE=" }),
            ),
            (sent(PayloadKind::Json, b"{"), json!({ "topic": "chat", "ref": "7", "payload_base64": "ew==" })),
        ];
        for (what, expected) in cases {
            let data = json(&event(what))["data"].clone();
            for (key, value) in expected.as_object().into_iter().flatten() {
                assert_eq!(data[key], *value, "{data}");
            }
        }
    }

    #[test]
    fn the_routing_key_is_kind_and_user_as_far_as_it_fits() {
        let key =
            |user: &str| routing_key(&Event { user: user.into(), ..event(sent(PayloadKind::Text, b"")) });
        assert_eq!(key("alice"), "message.alice");
        let long = key(&"ä".repeat(127));
        assert_eq!((long.len(), long.chars().last()), (254, Some('ä')));
    }
}
