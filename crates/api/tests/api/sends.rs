//! Sends to users, groups and all: what arrives, and what the receipt says.

use ringway_proto::v1::PayloadKind;
use ringway_proto::v1::worker_frame::Frame as Down;
use serde_json::json;

use crate::caller::Call;
use crate::house::{Gateway, House};
use crate::site::{Site, with_mailboxes};

/// The next message: its kind and its bytes.
async fn arrival(client: &mut Gateway) -> (PayloadKind, Vec<u8>) {
    match client.next_but_checkpoints().await {
        Down::Deliver(deliver) => (deliver.kind(), deliver.payload.to_vec()),
        other => panic!("{other:?} came instead of a message"),
    }
}

#[tokio::test]
async fn a_message_reaches_its_user_its_group_and_all() {
    let house = House::new(3).await;
    let site = Site::before(&house).await;
    let mut alice = house.client("alice", &["room"]).await;
    let mut slashed = house.client("a/b zażółć", &["room"]).await;
    let cases = [
        ("/v1/users/alice/messages", 1),
        ("/v1/users/a%2Fb%20za%C5%BC%C3%B3%C5%82%C4%87/messages", 1),
        ("/v1/groups/room/messages", 2),
        ("/v1/messages", 2),
    ];
    for (target, sessions) in cases {
        let receipt =
            Call::post(target, r#"{"topic":"chat","data":{"a": 1.50}}"#).to(site.address).await.json();
        assert_eq!((&receipt["outcome"], &receipt["sessions"]), (&json!("delivered"), &json!(sessions)));
        assert_eq!(receipt["message_id"].as_str().unwrap().len(), 32);
        assert_eq!(receipt["ring_version"], json!(house.views.current().version().to_string()));
        for client in
            [&mut alice, &mut slashed].into_iter().skip(usize::from(target.contains("a%2F"))).take(sessions)
        {
            assert_eq!(client.message().await.1, r#"{"a": 1.50}"#, "{target}");
        }
    }
}

#[tokio::test]
async fn a_payload_arrives_as_what_it_is() {
    let house = House::new(1).await;
    let site = Site::before(&house).await;
    let mut alice = house.client("alice", &[]).await;
    let cases = [
        (r#"{"data":null}"#, PayloadKind::Json, b"null" as &[u8]),
        (r#"{"data":"hi"}"#, PayloadKind::Json, b"\"hi\""),
        (r#"{"text":"hi"}"#, PayloadKind::Text, b"hi"),
        (r#"{"text":""}"#, PayloadKind::Text, b""),
        (r#"{"base64":"AAH/"}"#, PayloadKind::Binary, b"\x00\x01\xff"),
    ];
    for (body, kind, bytes) in cases {
        let answer = Call::post("/v1/users/alice/messages", body).to(site.address).await;
        assert_eq!(answer.status, 200, "{body}");
        assert_eq!(arrival(&mut alice).await, (kind, bytes.to_vec()), "{body}");
    }
}

#[tokio::test]
async fn nobody_there_is_an_answer_and_no_error() {
    let house = House::new(2).await;
    let site = Site::before(&house).await;
    for target in ["/v1/users/nobody/messages", "/v1/groups/empty/messages", "/v1/messages"] {
        let answer = Call::post(target, r#"{"text":"hi"}"#).to(site.address).await;
        let receipt = answer.json();
        let told = (answer.status, &receipt["outcome"], &receipt["sessions"]);
        assert_eq!(told, (200, &json!("no_session"), &json!(0)), "{target}");
    }
}

#[tokio::test]
async fn a_session_that_is_excluded_hears_nothing() {
    let house = House::new(1).await;
    let site = Site::before(&house).await;
    let mut phone = house.client("alice", &[]).await;
    let mut laptop = house.client("alice", &[]).await;
    let phones = phone.sessions.values().next().unwrap().to_string();
    let body = format!(r#"{{"text":"to the laptop","exclude_sessions":["{phones}"]}}"#);
    let receipt = Call::post("/v1/users/alice/messages", body).to(site.address).await.json();
    assert_eq!(receipt["sessions"], json!(1));
    let both = Call::post("/v1/users/alice/messages", r#"{"text":"to both"}"#).to(site.address).await.json();
    assert_eq!(both["sessions"], json!(2));
    assert_eq!(phone.message().await.1, "to both");
    assert_eq!(laptop.message().await.1, "to the laptop");
}

#[tokio::test]
async fn the_same_key_stores_once() {
    let (house, site) = with_mailboxes(2).await;
    let mut alice = house.client("alice", &[]).await;
    let body = r#"{"topic":"orders","data":{"order":17},"guarantee":"at_least_once"}"#;
    let call = Call::post("/v1/users/alice/messages", body);
    let (mut receipts, keys) = (Vec::new(), ["order-17", "order-17", "\"order-17\"", "order-18"]);
    for key in keys {
        receipts.push(call.clone().with("Idempotency-Key", key).to(site.address).await.json());
    }
    let told = receipts.iter().map(|receipt| {
        let id = receipt["message_id"].as_str().unwrap();
        (id, receipt["stored_offset"].as_u64().unwrap(), receipt["is_duplicate"].as_bool().unwrap())
    });
    let expected =
        [("order-17", 1, false), ("order-17", 1, true), ("order-17", 1, true), ("order-18", 2, false)];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    // Two messages came, and then nothing before this one.
    Call::post("/v1/users/alice/messages", r#"{"text":"last"}"#).to(site.address).await;
    let mut arrived = Vec::new();
    while arrived.last().map(String::as_str) != Some("last") {
        arrived.push(alice.message().await.1);
    }
    assert_eq!(arrived, [r#"{"order":17}"#, r#"{"order":17}"#, "last"]);
}

#[tokio::test]
async fn what_is_stored_for_somebody_who_is_away_says_so() {
    let (_house, site) = with_mailboxes(1).await;
    let body = r#"{"text":"later","guarantee":"at_least_once","message_id":"m1","time_to_live_ms":60000,
                   "until_first_ack":true,"wait_acknowledged_ms":5}"#;
    let receipt = Call::post("/v1/users/alice/messages", body).to(site.address).await.json();
    let told = (&receipt["outcome"], &receipt["stored_offset"], &receipt["is_acknowledged"]);
    assert_eq!(told, (&json!("stored"), &json!(1), &json!(false)));
}
