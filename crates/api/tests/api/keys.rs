//! Who is let in.

use ringway_api::{Access, ApiConfig, Keys};

use crate::caller::{Call, exchange};
use crate::house::House;
use crate::site::{Site, keys, once};

const OLD: &str = "the-old-key-of-the-shop";
const NEW: &str = "the-new-key-of-the-shop";
const BILLING: &str = "the-key-of-the-billing";

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

#[tokio::test]
async fn keys_are_told_apart_and_replaced_while_the_api_is_served() {
    let house = House::new(1).await;
    let handle = keys(&format!("shop = {OLD}\nbilling = {BILLING}"));
    let access = Access::Keys(handle.clone());
    let site = Site::start(ApiConfig::default(), once(&house.views, &house.pool), access).await;
    let stages = [
        (None, [(OLD, 200), (NEW, 401), (BILLING, 200)]),
        (
            Some(format!("shop = {OLD}\nshop-2 = {NEW}\nbilling = {BILLING}")),
            [(OLD, 200), (NEW, 200), (BILLING, 200)],
        ),
        (Some(format!("shop-2 = {NEW}")), [(OLD, 401), (NEW, 200), (BILLING, 401)]),
    ];
    for (stage, expected) in stages {
        if let Some(text) = &stage {
            handle.replace(Keys::parse(text).unwrap());
        }
        for (key, status) in expected {
            let call = Call::post("/v1/messages", r#"{"text":"hi"}"#).with("Authorization", &bearer(key));
            assert_eq!(call.to(site.address).await.status, status, "{stage:?} {key}");
        }
    }
}

#[tokio::test]
async fn nothing_but_the_document_is_there_for_strangers() {
    let house = House::new(1).await;
    let access = Access::Keys(keys(&format!("shop = {OLD}")));
    let site = Site::start(ApiConfig::default(), once(&house.views, &house.pool), access).await;
    let before = house.pool.calls();
    let id = "0".repeat(32);
    let calls = [
        Call::post("/v1/users/alice/messages", r#"{"text":"hi"}"#),
        Call::post("/v1/groups/room/messages", r#"{"text":"hi"}"#),
        Call::post("/v1/messages", r#"{"text":"hi"}"#),
        Call::get("/v1/users/alice"),
        Call::new("DELETE", &format!("/v1/sessions/{id}")),
        Call::get("/v1/nothing"),
        Call::new("PUT", "/v1/messages"),
    ];
    let shown = [
        (None, "Bearer"),
        (Some(bearer(&OLD[1..])), "Bearer error=\"invalid_token\""),
        (Some(bearer("")), "Bearer"),
        (Some(format!("Basic {OLD}")), "Bearer"),
    ];
    for call in &calls {
        for (credential, challenge) in &shown {
            let call = match credential {
                Some(value) => call.clone().with("Authorization", value),
                None => call.clone(),
            };
            let answer = call.to(site.address).await;
            assert_eq!(
                (answer.status, answer.header("www-authenticate")),
                (401, Some(*challenge)),
                "{call:?}"
            );
            assert!(!answer.body.contains("the-old-key"), "{answer:?}");
        }
    }
    assert_eq!(house.pool.calls(), before, "no worker heard of them");
    assert_eq!(Call::get("/v1/openapi.json").to(site.address).await.status, 200);
}

#[tokio::test]
async fn without_keys_only_this_machine_is_meant() {
    let house = House::new(1).await;
    let site = Site::before(&house).await;
    let call = Call::get("/v1/users/alice");
    for (host, status) in [("localhost:1", 200), ("127.0.0.1", 200), ("evil.example", 403), ("", 403)] {
        assert_eq!(call.clone().with("Host", host).to(site.address).await.status, status, "{host:?}");
    }
    // A page may send this without asking (Fetch, "CORS-safelisted request-header").
    let form = Call::post("/v1/messages", r#"{"text":"hi"}"#)
        .without("Content-Type")
        .with("Content-Type", "text/plain");
    assert_eq!(form.to(site.address).await.status, 415);
    // And this asks first, and is told nothing that would permit it.
    let asks =
        Call::new("OPTIONS", "/v1/messages").with("Origin", "http://evil.example").to(site.address).await;
    assert!(asks.headers.iter().all(|(name, _)| !name.starts_with("access-control")), "{asks:?}");
    assert_eq!(exchange(site.address, b"GET /v1/users/alice HTTP/1.0\r\n\r\n").await.status, 403);
}
