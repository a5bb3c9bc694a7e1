use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::name::UserId;
use crate::payload::{Kind, Payload};
use crate::table::TooManyWatches;

const VECTORS: &str = include_str!("../../../../tests/vectors/client-protocol.json");

fn vectors(of: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    vectors[of].as_array().unwrap_or_else(|| panic!("{of}")).clone()
}

fn string(vector: &Value, name: &str) -> String {
    vector[name].as_str().unwrap_or_else(|| panic!("{name} of {vector}")).to_owned()
}

fn number(vector: &Value, name: &str) -> u64 {
    vector[name].as_u64().unwrap_or_else(|| panic!("{name} of {vector}"))
}

fn check(payload: &Payload, vector: &Value) {
    assert_eq!(std::str::from_utf8(payload.bytes()).unwrap(), string(vector, "frame"));
    assert_eq!(payload.kind(), Kind::Text);
}

#[test]
fn welcomes_are_as_the_vectors_say() {
    for vector in vectors("welcome") {
        let of = Welcome {
            session: string(&vector, "session"),
            resume: string(&vector, "resume"),
            epoch: string(&vector, "epoch"),
            offset: number(&vector, "offset"),
            recovered: vector["recovered"].as_bool().unwrap(),
            resume_window_ms: number(&vector, "resume_window_ms"),
            ack_within_ms: number(&vector, "ack_within_ms"),
        };
        check(&welcome(&of), &vector);
    }
}

#[test]
fn messages_are_as_the_vectors_say() {
    for vector in vectors("message") {
        let bytes = BASE64.decode(string(&vector, "payload_base64")).unwrap();
        let kind = match string(&vector, "kind").as_str() {
            "text" => Kind::Text,
            "json" => Kind::Json,
            "binary" => Kind::Binary,
            kind => panic!("{kind}"),
        };
        let payload = Payload::new(bytes.into(), kind).unwrap();
        let (id, topic) = (string(&vector, "id"), string(&vector, "topic"));
        let stored = vector["stored"].as_str().map(|place| place.parse().unwrap());
        let from = vector["from"].as_str().unwrap_or_default();
        let tail = message_tail(&Head { id: &id, topic: &topic, from, stored }, &payload);
        let frame = numbered(number(&vector, "offset"), std::str::from_utf8(&tail).unwrap());
        assert_eq!(frame, string(&vector, "frame"));
    }
}

#[test]
fn mailboxes_are_as_the_vectors_say() {
    for vector in vectors("mailbox") {
        let place = string(&vector, "place").parse().unwrap();
        let tail = mailbox_tail(place, vector["recovered"].as_bool().unwrap());
        let frame = numbered(number(&vector, "offset"), std::str::from_utf8(&tail).unwrap());
        assert_eq!(frame, string(&vector, "frame"));
    }
}

#[test]
fn errors_are_as_the_vectors_say() {
    for vector in vectors("error") {
        let of = match string(&vector, "code").as_str() {
            "unreadable" => FrameError::Unreadable(string(&vector, "what")),
            "unknown_type" => FrameError::UnknownType(string(&vector, "what")),
            "ack_out_of_range" => {
                FrameError::AckOutOfRange { offset: number(&vector, "offset"), sent: number(&vector, "sent") }
            }
            "invalid" => FrameError::Invalid(string(&vector, "what")),
            "not_permitted" => FrameError::NotPermitted(string(&vector, "what")),
            "too_many_groups" => FrameError::TooManyGroups { max: number(&vector, "max") as usize },
            "too_large" => FrameError::TooLarge(string(&vector, "what")),
            "rate_limited" => FrameError::RateLimited { per_second: number(&vector, "per_second") as u32 },
            "busy" => FrameError::Busy(string(&vector, "what")),
            "unavailable" => FrameError::Unavailable(string(&vector, "what")),
            "outcome_unknown" => FrameError::OutcomeUnknown(string(&vector, "what")),
            "internal" => FrameError::Internal(string(&vector, "what")),
            "too_many_watches" => {
                let bound = |name| number(&vector, name) as usize;
                FrameError::TooManyWatches(TooManyWatches { users: bound("users"), max: bound("max") })
            }
            code => panic!("{code}"),
        };
        check(&error(vector["ref"].as_str(), &of), &vector);
    }
    let codes: Vec<_> = vectors("error").iter().map(|vector| string(vector, "code")).collect();
    assert!(ErrorCode::ALL.iter().all(|code| codes.contains(&code.to_string())), "{codes:?}");
}

#[test]
fn replies_are_as_the_vectors_say() {
    for vector in vectors("reply") {
        let id = vector["id"].as_str().unwrap_or_default();
        let of = match vector["outcome"].as_str() {
            Some(outcome) => Reply::Sent { outcome, sessions: number(&vector, "sessions") as u32, id },
            None => Reply::Done {},
        };
        check(&reply(&string(&vector, "ref"), of), &vector);
    }
}

fn payload_read(payload: &Payload) -> (&'static str, String) {
    let kind = match payload.kind() {
        Kind::Text => "text",
        Kind::Json => "json",
        Kind::Binary => "binary",
    };
    (kind, BASE64.encode(payload.bytes()))
}

/// What was read of a frame, as the vectors say it.
fn read_as(frame: &Result<ClientFrame, FrameError>) -> Value {
    match frame {
        Ok(ClientFrame::Ack { offset }) => json!({ "ack": offset }),
        Ok(ClientFrame::Join { group }) => json!({ "join": group.as_str() }),
        Ok(ClientFrame::Leave { group }) => json!({ "leave": group.as_str() }),
        Ok(ClientFrame::Send(ClientSend { to, id, topic, payload })) => {
            let (whose, name) = match to {
                Recipient::User(user) => ("user", user.as_str()),
                Recipient::Group(group) => ("group", group.as_str()),
            };
            let (kind, bytes) = payload_read(payload);
            json!({ "send": { whose: name, "id": id, "topic": topic, "kind": kind, "payload_base64": bytes } })
        }
        Ok(ClientFrame::Event(ClientEvent { topic, payload })) => {
            let (kind, bytes) = payload_read(payload);
            json!({ "event": { "topic": topic, "kind": kind, "payload_base64": bytes } })
        }
        Ok(ClientFrame::Watch { users }) => json!({ "watch": names(users) }),
        Ok(ClientFrame::Unwatch { users }) => json!({ "unwatch": names(users) }),
        Err(error) => json!({ "error": error.code().as_str() }),
    }
}

fn names(users: &[UserId]) -> Vec<String> {
    users.iter().map(ToString::to_string).collect()
}

#[test]
fn presence_is_as_the_vectors_say() {
    for vector in vectors("presence") {
        let user = |of: &Value| (UserId::new(&string(of, "user")).unwrap(), of["online"].as_bool().unwrap());
        let users: Vec<_> = vector["users"].as_array().unwrap().iter().map(user).collect();
        check(&presence(&users), &vector);
    }
}

#[test]
fn a_client_names_a_bounded_number_of_users() {
    for (users, is_read) in [(1, true), (WATCH_USERS_MAX, true), (WATCH_USERS_MAX + 1, false)] {
        let users = (0..users).map(|number| UserId::new(&format!("u{number}")).unwrap()).collect();
        let frame = ClientFrame::Watch { users };
        let read = parse(frame.to_string().as_bytes()).frame;
        assert_eq!(read.is_ok(), is_read);
        if let Err(error) = read {
            assert!(error.words().contains("its users are 1001; expected 1 to 1000"), "{error}");
        }
    }
}

#[test]
fn what_clients_say_is_read_as_the_vectors_say() {
    for vector in vectors("client") {
        let read = parse(string(&vector, "frame").as_bytes());
        assert_eq!(read_as(&read.frame), vector["reads"], "{vector}");
        assert_eq!(read.reference.as_deref(), vector["ref"].as_str(), "{vector}");
    }
}

/// Every frame that the vectors have, written again, with a name and without.
#[test]
fn what_a_client_writes_is_read() {
    for vector in vectors("client") {
        let Ok(frame) = parse(string(&vector, "frame").as_bytes()).frame else { continue };
        for reference in [None, Some("a \"1\"")] {
            let read = parse(frame.text(reference).as_bytes());
            let expected = FromClient { reference: reference.map(str::to_owned), frame: Ok(frame.clone()) };
            assert_eq!(read, expected, "{vector}");
        }
        assert_eq!(frame.to_string(), frame.text(None));
    }
    let users: Vec<_> = ["bob", "q\"uote"].map(|name| UserId::new(name).unwrap()).into();
    for frame in [ClientFrame::Watch { users: users.clone() }, ClientFrame::Unwatch { users }] {
        assert_eq!(parse(frame.to_string().as_bytes()), FromClient { reference: None, frame: Ok(frame) });
    }
    for offset in [0, 5, u64::MAX] {
        let frame = ClientFrame::Ack { offset };
        assert_eq!(parse(frame.to_string().as_bytes()), FromClient { reference: None, frame: Ok(frame) });
    }
}

#[test]
fn what_is_wrong_is_said() {
    let check = |frame: &str, words: &str| {
        let error = parse(frame.as_bytes()).frame.unwrap_err();
        assert!(error.words().contains(words), "{frame}: {error}");
    };
    check("hello", "it is no JSON object");
    check("{", "EOF");
    check("{}", "it has no type");
    check(r#"{"type":1}"#, "its type is wrong");
    check(r#"{"type":"ack"}"#, "it has no offset");
    check(r#"{"type":"ack","offset":-1}"#, "its offset is wrong");
    check(r#"{"type":"join"}"#, "it has no group");
    check(r#"{"type":"join","group":""}"#, "the group is empty");
    check(r#"{"type":"send","data":1}"#, "it has no to");
    check(r#"{"type":"send","to":"alice","data":1}"#, r#"like {"user":"alice"}"#);
    check(r#"{"type":"send","to":{},"data":1}"#, "either user or group");
    check(r#"{"type":"send","to":{"user":"a"}}"#, "either data or base64");
    check(r#"{"type":"send","to":{"user":"a"},"base64":"?"}"#, "its base64 is wrong");
    check(r#"{"type":"event","data":1}"#, "it has no topic");
    check(r#"{"type":"event","topic":"","data":1}"#, "topic of an event is empty");
    check(r#"{"type":"dance"}"#, r#"no frame of type "dance""#);
    check(&format!(r#"{{"type":"ack","offset":1,"ref":"{}"}}"#, "x".repeat(65)), "its ref has 65 bytes");
    assert!(parse(b"\xff").frame.unwrap_err().words().contains("not UTF-8"));
}

#[test]
fn an_error_does_not_send_back_everything_that_was_sent() {
    let name = "ä".repeat(1000);
    for frame in [format!(r#"{{"type":"{name}"}}"#), format!(r#"{{"type":"ack","offset":"{name}"}}"#)] {
        let words = parse(frame.as_bytes()).frame.unwrap_err().words();
        assert!(words.len() <= ERROR_MESSAGE_BYTES_MAX && words.ends_with('…'), "{words}");
    }
}

/// Something like a frame of a client.
fn nearly() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        prop_oneof![Just("ack"), Just("join"), Just("leave"), Just("send"), Just("event")]
            .prop_map(|name| format!("\"{name}\"")),
        Just(r#"{"user":"alice"}"#.to_owned()),
        Just(r#"{"group":"room"}"#.to_owned()),
        Just("\"AAH+/w==\"".to_owned()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|text| format!("{text:?}")),
        Just("null".to_owned()),
        Just("[[{}]]".to_owned()),
    ];
    let name = proptest::sample::select(vec![
        "type", "offset", "ref", "group", "to", "topic", "id", "data", "base64", "more",
    ]);
    let members = proptest::collection::vec((name, value), 0..8);
    members.prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn check_answer(text: &[u8]) {
    let read = parse(text);
    assert!(read.reference.as_ref().map_or(0, String::len) <= REF_BYTES_MAX);
    let Err(of) = read.frame else { return };
    let frame = error(read.reference.as_deref(), &of);
    let answer: Value = serde_json::from_slice(frame.bytes()).unwrap();
    assert_eq!(answer["code"], of.code().as_str());
    assert_eq!(answer["ref"].as_str(), read.reference.as_deref());
}

/// The frame of a message as JSON, and its length as it was foretold.
fn frame_of(offset: u64, id: &str, topic: &str, payload: &Payload) -> Value {
    let tail = message_tail(&Head { id, topic, ..Head::default() }, payload);
    let frame = numbered(offset, std::str::from_utf8(&tail).unwrap());
    assert_eq!(frame.len(), numbered_bytes(offset, tail.len()));
    serde_json::from_str(&frame).unwrap()
}

proptest! {
    #[test]
    fn whatever_a_client_sends_is_answered(bytes: Vec<u8>) {
        check_answer(&bytes);
    }

    #[test]
    fn whatever_looks_like_a_frame_is_answered(text in nearly()) {
        check_answer(text.as_bytes());
    }

    #[test]
    fn a_message_is_what_was_sent(offset: u64, id: String, topic: String, text: String, bytes: Vec<u8>) {
        let of = |bytes: Bytes, kind| frame_of(offset, &id, &topic, &Payload::new(bytes, kind).unwrap());
        let quoted = serde_json::to_string(&text).unwrap();
        let json = format!(" {{\"deep\" : [{quoted},\n1.50]}}");
        let frames = [
            of(text.clone().into(), Kind::Text),
            of(json.into(), Kind::Json),
            of(bytes.clone().into(), Kind::Binary),
        ];
        for frame in &frames {
            prop_assert_eq!(&frame["type"], "message");
            prop_assert_eq!(&frame["offset"], offset);
            prop_assert_eq!(&frame["id"], id.as_str());
            prop_assert_eq!(frame["topic"].as_str().unwrap_or_default(), topic.as_str());
        }
        prop_assert_eq!(&frames[0]["data"], text.as_str());
        prop_assert_eq!(&frames[1]["data"]["deep"], &serde_json::json!([text, 1.5]));
        prop_assert_eq!(BASE64.decode(frames[2]["base64"].as_str().unwrap()).unwrap(), bytes);
    }
}
