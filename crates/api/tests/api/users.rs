//! Where a user is, and the end of a session.

use ringway_api::{Access, ApiConfig};
use ringway_proto::v1::worker_frame::Frame as Down;
use ringway_ring::Slot;
use serde_json::json;

use crate::caller::Call;
use crate::fake::FakeCluster;
use crate::house::House;
use crate::site::{Site, once};

#[tokio::test]
async fn a_user_is_shown_with_its_owner_and_its_sessions() {
    let house = House::new(3).await;
    let site = Site::before(&house).await;
    let _phone = house.client("alice", &["room"]).await;
    let laptop = house.client("alice", &[]).await;
    let user = Call::get("/v1/users/alice").to(site.address).await.json();
    let owner = house.owner("alice").worker.id().to_string();
    assert_eq!((&user["user"], &user["online"], &user["total"]), (&json!("alice"), &json!(true), &json!(2)));
    assert_eq!((&user["owner"], &user["slot"]), (&json!(owner), &json!(Slot::of(b"alice").index())));
    assert_eq!(user["ring_version"], json!(house.views.current().version().to_string()));
    assert!(user["since_ms"].as_u64().unwrap() > 1_700_000_000_000);
    let sessions = user["sessions"].as_array().unwrap();
    let laptops = laptop.sessions.values().next().unwrap().to_string();
    assert!(sessions.iter().any(|session| session["id"] == json!(laptops)), "{user}");
    assert!(sessions.iter().all(|session| session["worker"] == json!(owner)), "{user}");
    assert!(sessions.iter().any(|session| session["groups"] == json!(["room"])), "{user}");

    let nobody = Call::get("/v1/users/nobody").to(site.address).await.json();
    let told = (&nobody["online"], &nobody["since_ms"], &nobody["sessions"], &nobody["total"]);
    assert_eq!(told, (&json!(false), &json!(null), &json!([]), &json!(0)));
    let head = Call::new("HEAD", "/v1/users/alice").to(site.address).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_user_whose_worker_is_gone_is_not_said_to_be_away() {
    let mut house = House::new(1).await;
    house.cut("w1").await;
    let sender = once(&house.views, &house.pool);
    let site = Site::start(ApiConfig::default(), sender, Access::Loopback).await;
    let answer = Call::get("/v1/users/alice").to(site.address).await;
    assert_eq!((answer.status, answer.reason().as_str()), (503, "UNREACHABLE"), "{answer:?}");
}

#[tokio::test]
async fn of_whom_nothing_sure_can_be_said_nothing_is_said() {
    let cluster = FakeCluster::start(1).await;
    let site =
        Site::start(ApiConfig::default(), once(&cluster.views, &cluster.pool()), Access::Loopback).await;
    for (user, expected) in [("undecided", json!(null)), ("alice", json!(false))] {
        let shown = Call::get(&format!("/v1/users/{user}")).to(site.address).await.json();
        assert_eq!((&shown["online"], &shown["since_ms"]), (&expected, &json!(null)), "{shown}");
    }
}

#[tokio::test]
async fn a_session_is_closed_once_with_code_and_reason() {
    let house = House::new(3).await;
    let site = Site::before(&house).await;
    let cases =
        [("", 4401, ""), ("?code=4001&reason=see%20you+soon", 4001, "see you soon"), ("?reason=", 4401, "")];
    for (query, code, reason) in cases {
        let mut alice = house.client("alice", &[]).await;
        let id = *alice.sessions.values().next().unwrap();
        let call = Call::new("DELETE", &format!("/v1/sessions/{id}{query}"));
        let closed = call.to(site.address).await;
        assert_eq!((closed.status, closed.json()), (200, json!({ "sessions": 1 })), "{query}");
        match alice.next_but_checkpoints().await {
            Down::Close(close) => assert_eq!((close.code, close.reason.as_str()), (code, reason)),
            other => panic!("{other:?} came instead of the close"),
        }
        // The worker keeps it until its gateway has said that it is gone.
        drop(alice);
        crate::house::until(async || call.to(site.address).await.status == 404).await;
        assert_eq!(call.to(site.address).await.reason(), "SESSION_NOT_FOUND");
    }
}
