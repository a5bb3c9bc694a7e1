//! What a client may do: the configuration's word and its token's, as its worker is told.

mod support;

use std::sync::Arc;
use std::time::SystemTime;

use ringway_auth::jwt::Secret;
use ringway_auth::{Jwt, JwtConfig, JwtSigner, KeySource};
use ringway_proto::v1::Permissions as Told;
use ringway_session::{Patterns, Permissions};
use serde_json::{Value, json};
use support::Bench;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn list(texts: &[&str]) -> Patterns {
    Patterns::new(texts).expect("patterns")
}

fn token(user: &str, claim: Value) -> String {
    let secret = Secret::new(SECRET).expect("it is long enough");
    let extra = [("ringway".to_owned(), claim)].into_iter().collect();
    let expires_at = Some(SystemTime::now() + std::time::Duration::from_secs(60));
    let request = ringway_auth::jwt::TokenRequest { user: user.into(), groups: vec![], expires_at, extra };
    JwtSigner::new(&secret).sign(&request, SystemTime::now()).expect("signed").expose().to_owned()
}

/// A gateway at which everybody may join rooms and send to groups of their own.
async fn bench() -> Bench {
    let secret = Secret::new(SECRET).expect("it is long enough");
    let jwt = Jwt::new(JwtConfig::new(KeySource::Secret(secret))).expect("a key");
    Bench::with(|setup| {
        setup.authenticator = Arc::new(jwt);
        setup.config.permissions =
            Permissions { join: list(&["room-*"]), send_own_groups: true, ..Permissions::default() };
    })
    .await
}

#[tokio::test]
async fn a_token_widens_and_narrows_what_everybody_may() {
    let bench = bench().await;
    let rooms = || vec!["room-*".to_owned()];
    let everybodys = || Told { join: rooms(), send_own_groups: true, ..Told::default() };
    let cases = [
        (Value::Null, Some(everybodys())),
        (json!({}), Some(everybodys())),
        (json!({"send_users": ["bob"]}), Some(Told { send_users: vec!["bob".into()], ..everybodys() })),
        (json!({"join": []}), Some(Told { join: vec![], ..everybodys() })),
        (json!({"join": [], "send_own_groups": false}), None),
    ];
    for (index, (claim, expected)) in cases.into_iter().enumerate() {
        let user = format!("user{index}");
        let mut client = bench.client(&token(&user, claim.clone())).await;
        assert_eq!(bench.worker.hears_open(&user).await.permissions, expected, "{claim}");
        client.send("x").await;
    }
    bench.end().await;
}

#[tokio::test]
async fn a_claim_that_is_wrong_opens_nothing() {
    let bench = bench().await;
    let token = token("alice", json!({"join": "room"}));
    let answer = bench.ask(&support::upgrade(&format!("/ws?token={token}"), "")).await;
    assert_eq!((answer.status, answer.reason().as_str()), (401, "permissions_claim_invalid"));
    assert!(answer.body.contains("`join` must be an array of strings"), "{}", answer.body);
    bench.worker.hears_as_many_opens(0).await;
    bench.end().await;
}
