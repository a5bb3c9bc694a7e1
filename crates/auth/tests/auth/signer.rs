//! Signed here, verified here.

use std::time::{Duration, SystemTime};

use ringway_auth::jwt::{JwtSigner, Secret, SignError, TokenRequest};
use ringway_auth::{Jwt, JwtConfig};
use serde_json::{Map, Value, json};

use crate::support::{NOW_S, SECRET, authenticate, now, secret_source};

fn signer() -> JwtSigner {
    JwtSigner::new(&Secret::new(SECRET).unwrap())
}

fn extra(claims: &Value) -> Map<String, Value> {
    claims.as_object().unwrap().clone()
}

#[test]
fn what_the_signer_signs_the_authenticator_reads() {
    let request = TokenRequest {
        user: "alice".to_owned(),
        groups: vec!["room7".to_owned(), "room8".to_owned()],
        expires_at: Some(now() + Duration::from_millis(60_900)),
        extra: extra(&json!({"aud": "chat", "plan": {"name": "gold"}})),
    };
    let token = signer().sign(&request, now()).unwrap();
    let mut config = JwtConfig::new(secret_source());
    config.audience = vec!["chat".to_owned()];
    let config_leeway = config.leeway;
    let identity = authenticate(&Jwt::new(config).unwrap(), &token).unwrap();
    assert_eq!((identity.user, identity.groups), (request.user, request.groups));
    assert_eq!(identity.expires_at, Some(now() + Duration::from_secs(60) + config_leeway));
    let claims: Value = serde_json::from_str(&identity.claims.unwrap()).unwrap();
    assert_eq!((&claims["plan"]["name"], &claims["iat"]), (&json!("gold"), &json!(NOW_S)));
}

#[test]
fn a_token_may_have_no_end_and_no_groups() {
    let request = TokenRequest { user: "alice".to_owned(), ..TokenRequest::default() };
    let token = signer().sign(&request, now()).unwrap();
    let mut config = JwtConfig::new(secret_source());
    config.require_exp = false;
    let identity = authenticate(&Jwt::new(config).unwrap(), &token).unwrap();
    assert_eq!((identity.groups.len(), identity.expires_at), (0, None));
}

#[test]
fn tokens_that_could_not_be_read_back_are_not_signed() {
    let alice = TokenRequest { user: "alice".to_owned(), ..TokenRequest::default() };
    for claim in ["sub", "groups", "exp", "iat"] {
        let request = TokenRequest { extra: extra(&json!({ claim: 1 })), ..alice.clone() };
        assert!(matches!(signer().sign(&request, now()), Err(SignError::ReservedClaim { .. })), "{claim}");
    }
    let nobody = TokenRequest::default();
    assert!(matches!(signer().sign(&nobody, now()), Err(SignError::Name(_))));
    let bad_group = TokenRequest { groups: vec!["a\0".to_owned()], ..alice.clone() };
    assert!(matches!(signer().sign(&bad_group, now()), Err(SignError::Name(_))));
    let past = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert!(matches!(signer().sign(&alice, past), Err(SignError::Time { claim: "iat" })));
}
