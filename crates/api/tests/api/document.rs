//! The document says what is so: every operation is there, everything it shows works, and a body is taken if and only if it is
//! one by the document's schemas.

use std::collections::BTreeSet;
use std::time::Duration;

use ringway_api::{Access, ApiConfig};
use ringway_proto::Reason;
use serde_json::{Map, Value, json};

use crate::caller::Call;
use crate::contract::CONTRACT;
use crate::fake::{FakeCluster, Take, refusal};
use crate::house::House;
use crate::site::{Site, keys, once, with_mailboxes};

/// How many random bodies each send is tried with.
const BODIES: usize = 400;

/// Values for each field of a message: JSON, the right ones first. `LONG` stands for a text of 255 bytes.
const VALUES: [(&str, &str); 12] = [
    ("data", r#"[null, {"a": [1, 2.5, "b"]}, "text", 0]"#),
    ("text", r#"["hi", "", "zażółć \u0001", 5, null]"#),
    ("base64", r#"["", "AAH/", "AA==", "AAE=", "AB==", "AA", "A_8=", []]"#),
    ("topic", r#"["chat", "LONG", "", "LONGx", "a\n", "a\u0085", null, 1]"#),
    ("from_user", r#"["bob", "LONG", "ż ó", "LONGx", "", "a\u007f", {}]"#),
    ("message_id", r#"["m1", "ż", "LONG", "", 7]"#),
    ("exclude_sessions", r#"[[], ["0123456789abcdefABCDEF0123456789"], ["x"], [1], "x"]"#),
    ("guarantee", r#"["at_least_once", "at_most_once", "exactly_once", 1, null]"#),
    ("time_to_live_ms", r#"[0, 5.0, 31536000000, 31536000001, -1, "5m", 1.5, 1e30, -0.0]"#),
    ("until_first_ack", r#"[true, false, "true", null]"#),
    ("wait_acknowledged_ms", r#"[0, 1, 2e0, 60001, -1, 18446744073709551616, true]"#),
    ("ttl", "[1]"),
];

fn values() -> Vec<(&'static str, Vec<Value>)> {
    let long = |text: &str| text.replace("LONG", &"x".repeat(255));
    VALUES.map(|(name, values)| (name, serde_json::from_str(&long(values)).unwrap())).into()
}

/// A body: mostly one payload and some other fields, now and then none or two, or no object at all.
fn random_body(values: &[(&'static str, Vec<Value>)]) -> Value {
    let pick = |count: usize| rand::random_range(0..count);
    if pick(50) == 0 {
        return [json!([]), json!("text"), json!(null), json!(["hi", "chat"])][pick(4)].clone();
    }
    let mut body = Map::new();
    let mut add = |(name, values): &(&'static str, Vec<Value>)| {
        // The first values are right: most bodies shall be, or be wrong by one field.
        let index = if pick(4) == 0 { pick(values.len()) } else { pick(values.len().min(2)) };
        body.insert((*name).to_owned(), values[index].clone());
    };
    if pick(12) > 0 {
        add(&values[pick(3)]);
    }
    for field in &values[3..] {
        let unlikely = if field.0 == "ttl" { 40 } else { 5 };
        if pick(unlikely) == 0 {
            add(field);
        }
    }
    if pick(20) == 0 {
        add(&values[pick(3)]);
    }
    Value::Object(body)
}

/// Each value of each field by itself: in a message that is stored, and in one that is not.
fn single_bodies(values: &[(&'static str, Vec<Value>)]) -> Vec<Value> {
    let bases = [json!({ "text": "hi" }), json!({ "text": "hi", "guarantee": "at_least_once" }), json!({})];
    let with = |base: &Value, name: &str, value: &Value| {
        let mut body = base.clone();
        body[name] = value.clone();
        body
    };
    let each = values.iter().flat_map(|(name, values)| values.iter().map(move |value| (*name, value)));
    each.flat_map(|(name, value)| bases.each_ref().map(|base| with(base, name, value))).collect()
}

#[tokio::test]
async fn a_body_is_taken_if_and_only_if_it_is_one_by_its_schema() {
    let (_house, site) = with_mailboxes(2).await;
    let values = values();
    let targets = [
        ("/v1/users/alice/messages", "MessageForUser"),
        ("/v1/groups/room/messages", "Message"),
        ("/v1/messages", "Message"),
    ];
    for (target, schema) in targets {
        let schema = CONTRACT.validator(&json!({ "$ref": format!("#/components/schemas/{schema}") }));
        let mut counts = [0, 0];
        let random = (0..BODIES).map(|_| random_body(&values));
        for body in single_bodies(&values).into_iter().chain(random) {
            let answer = Call::post(target, body.to_string()).to(site.address).await;
            let valid = schema.is_valid(&body);
            assert_eq!(answer.status, if valid { 200 } else { 400 }, "{target} {body} -> {answer:?}");
            counts[usize::from(valid)] += 1;
        }
        assert!(counts.iter().all(|count| *count > BODIES / 10), "{target}: {counts:?} of both kinds");
    }
}

#[tokio::test]
async fn names_ids_and_parameters_are_as_their_schemas_say() {
    let house = House::new(1).await;
    let site = Site::before(&house).await;
    let parameter = |path: &str, method: &str, name: &str| {
        let item = &CONTRACT.document["paths"][path];
        let lists = [&item["parameters"], &item[method]["parameters"]];
        let mut all =
            lists.into_iter().filter_map(Value::as_array).flatten().map(|given| CONTRACT.resolved(given));
        CONTRACT.validator(&all.find(|parameter| parameter["name"] == json!(name)).unwrap()["schema"])
    };
    let user = parameter("/v1/users/{user}", "get", "user");
    let group = parameter("/v1/groups/{group}/messages", "post", "group");
    for name in
        ["a", "a b", "-", "~", "ż", &"x".repeat(255), &"x".repeat(256), "", "a\nb", "\u{85}", "a/b?c#d%"]
    {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let shown = Call::get(&format!("/v1/users/{encoded}")).to(site.address).await;
        assert_eq!(shown.status == 200, user.is_valid(&json!(name)), "{name:?} {shown:?}");
        let sent =
            Call::post(&format!("/v1/groups/{encoded}/messages"), r#"{"text":""}"#).to(site.address).await;
        assert_eq!(sent.status == 200, group.is_valid(&json!(name)), "{name:?} {sent:?}");
    }
    let id = "0".repeat(32);
    let schema = parameter("/v1/sessions/{id}", "delete", "id");
    for id in [&id, "x", &id[1..], &"F".repeat(32), &format!("{id}0")] {
        let answer = Call::new("DELETE", &format!("/v1/sessions/{id}")).to(site.address).await;
        assert_eq!(answer.status == 404, schema.is_valid(&json!(id)), "{id} {answer:?}");
    }
    let schema = parameter("/v1/sessions/{id}", "delete", "code");
    for code in
        [0, 999, 1000, 1001, 1002, 1005, 1008, 1010, 1011, 1013, 1014, 2999, 3000, 4401, 4999, 5000, 70_000]
    {
        let answer = Call::new("DELETE", &format!("/v1/sessions/{id}?code={code}")).to(site.address).await;
        assert_eq!(answer.status == 404, schema.is_valid(&json!(code)), "{code} {answer:?}");
    }
    let schema = parameter("/v1/messages", "post", "Idempotency-Key");
    for key in ["order-17", "a\"b", "a b", &"x".repeat(128), &"x".repeat(129), "", "ż"] {
        let call = Call::post("/v1/messages", r#"{"text":""}"#).with("Idempotency-Key", key);
        let answer = call.to(site.address).await;
        assert_eq!(answer.status == 200, schema.is_valid(&json!(key)), "{key:?} {answer:?}");
    }
}

#[tokio::test]
async fn what_the_document_shows_works() {
    let (_house, site) = with_mailboxes(1).await;
    let mut shown = 0;
    for (path, method, operation) in CONTRACT.operations() {
        let content = &operation["requestBody"]["content"]["application/json"];
        for example in content["examples"].as_object().into_iter().flat_map(Map::values) {
            let target = path.replace("{user}", "alice").replace("{group}", "room");
            let answer = Call::post(&target, example["value"].to_string()).to(site.address).await;
            assert_eq!(answer.status, 200, "{method} {path} {example} {answer:?}");
            shown += 1;
        }
        let answer = &operation["responses"]["200"]["content"]["application/json"];
        if !answer["example"].is_null() {
            let checked = CONTRACT
                .validator(&answer["schema"])
                .validate(&answer["example"])
                .map_err(|error| error.to_string());
            assert_eq!(checked, Ok(()), "{path}");
            shown += 1;
        }
    }
    assert_eq!(shown, 10 + 5, "the examples were not found");
}

#[tokio::test]
async fn the_document_is_whole_and_is_what_is_served() {
    let house = House::new(1).await;
    let site = Site::before(&house).await;
    let served = Call::get("/v1/openapi.json").to(site.address).await;
    assert_eq!(served.json(), CONTRACT.document);
    assert_eq!(CONTRACT.document["openapi"], json!("3.1.0"));
    assert_eq!(CONTRACT.document["info"]["version"], json!(env!("CARGO_PKG_VERSION")));
    let mut references = 0;
    walk(&CONTRACT.document, &mut |value| {
        if value["$ref"].is_string() {
            assert!(CONTRACT.resolved(value).is_object(), "{value}");
            references += 1;
        }
    });
    assert!(references > 50, "the references were not found");
    for (name, schema) in CONTRACT.document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
        // What is answered is always there, but for what only some refusals have.
        let fields = schema["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str);
        if ["Receipt", "User", "Session", "Closed", "Error"].contains(&name.as_str()) {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            assert_eq!(required.collect::<BTreeSet<_>>(), fields.collect(), "{name}");
            assert_eq!(schema["additionalProperties"], json!(false), "{name}");
        }
    }
}

fn walk(value: &Value, look: &mut impl FnMut(&Value)) {
    look(value);
    match value {
        Value::Object(fields) => fields.values().for_each(|value| walk(value, look)),
        Value::Array(items) => items.iter().for_each(|value| walk(value, look)),
        _ => {}
    }
}

/// A call of each operation that would be carried out.
fn calls() -> Vec<(&'static str, Call)> {
    let message = r#"{"text":"hi"}"#;
    vec![
        ("send_to_user", Call::post("/v1/users/alice/messages", message)),
        ("send_to_group", Call::post("/v1/groups/room/messages", message)),
        ("send_to_all", Call::post("/v1/messages", message)),
        ("show_user", Call::get("/v1/users/alice")),
        ("close_session", Call::new("DELETE", &format!("/v1/sessions/{}", "0".repeat(32)))),
        ("show_document", Call::get("/v1/openapi.json")),
    ]
}

/// The same call, spoiled in every way.
fn spoiled(call: &Call) -> Vec<Call> {
    let unnamed = call.target.replace("alice", "%00").replace("room", "%00").replace("000", "x");
    vec![
        call.clone(),
        call.clone().with("Host", "evil.example"),
        call.clone().without("Content-Type"),
        call.clone().with("Idempotency-Key", ""),
        Call { target: unnamed, ..call.clone() },
        // Larger than it may be, and smaller than it says.
        call.clone().with("Content-Length", "1000"),
        call.clone().with("Content-Length", "99"),
    ]
}

/// Every status of the document is one that the API answers with, and it answers with no other: that is held wherever a call is made.
#[tokio::test]
async fn every_status_of_the_document_is_answered() {
    let cluster = FakeCluster::start(1).await;
    let (script, sender) = (&cluster.workers[0].script, || once(&cluster.views, &cluster.pool()));
    let key = Access::Keys(keys("shop = 0123456789abcdef"));
    let guarded = Site::start(ApiConfig::default(), sender(), key).await;
    let full = ApiConfig { requests_max: 0, ..ApiConfig::default() };
    let full = Site::start(full, sender(), Access::Loopback).await;
    let strict =
        ApiConfig { body_timeout: Duration::from_millis(20), body_bytes_max: 100, ..ApiConfig::default() };
    let strict = Site::start(strict, sender(), Access::Loopback).await;
    let (house, real) = with_mailboxes(1).await;
    let unstoring = House::new(1).await;
    let unstoring = Site::before(&unstoring).await;

    let mut seen = BTreeSet::new();
    for (id, call) in calls() {
        for site in [&guarded, &full, &real] {
            seen.insert((id, call.to(site.address).await.status));
        }
        for call in spoiled(&call) {
            seen.insert((id, call.to(strict.address).await.status));
        }
        for reason in [Reason::Internal, Reason::ConnectionLost, Reason::NoWorkers, Reason::DeadlineExceeded]
        {
            script.always(Take::Refuse(refusal(reason)));
            seen.insert((id, call.to(strict.address).await.status));
        }
        script.always(Take::Answer);
    }
    let stored = Call::post("/v1/users/alice/messages", r#"{"text":"hi","guarantee":"at_least_once"}"#);
    seen.insert(("send_to_user", stored.to(unstoring.address).await.status));
    drop(house);

    let mut promised = BTreeSet::new();
    for (_, _, operation) in CONTRACT.operations() {
        let statuses = operation["responses"].as_object().unwrap().keys();
        let id = operation["operationId"].as_str().unwrap();
        promised.extend(statuses.map(|status| (id, status.parse::<u16>().unwrap())));
    }
    assert_eq!(seen, promised);
}
