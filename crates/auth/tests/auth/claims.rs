//! What a verified token may say, and when and where it counts.

use std::time::{Duration, SystemTime};

use ringway_auth::{Authenticator, Jwt, JwtConfig};
use ringway_session::{Patterns, PermissionsClaim};
use serde_json::{Value, json};

use crate::support::{NOW_S, Pair, authenticate, now, outcome, secret_source};

/// What is allowed if nothing else is configured.
const LEEWAY: Duration = Duration::from_secs(30);

/// Authenticates a token with these claims under a configuration changed by `change`.
fn check(change: impl FnOnce(&mut JwtConfig), claims: &Value, expected: Result<&str, &str>) {
    let mut config = JwtConfig::new(secret_source());
    change(&mut config);
    let token = Pair::secret().token(&json!({"alg": "HS256"}), claims);
    let outcome = outcome(&Jwt::new(config).unwrap(), &token);
    assert_eq!(outcome.as_deref().map_err(|reason| *reason), expected, "{claims}");
}

fn as_is(_: &mut JwtConfig) {}

#[test]
fn exp_ends_a_token_and_the_leeway_delays_that() {
    for (exp, expected) in [
        (json!(NOW_S + 1), Ok("alice")),
        (json!(NOW_S), Ok("alice")),
        (json!(NOW_S - 29), Ok("alice")),
        (json!(NOW_S as f64 - 29.5), Ok("alice")),
        (json!(NOW_S - 30), Err("token_expired")),
        (json!(NOW_S - 3600), Err("token_expired")),
        (json!(0), Err("token_expired")),
        (json!(-1), Err("claim_invalid")),
        (json!(1e300), Err("claim_invalid")),
        (json!(u64::MAX), Err("claim_invalid")),
        (json!("2001-09-09"), Err("claim_invalid")),
        (json!(null), Err("claim_invalid")),
        (json!([NOW_S + 60]), Err("claim_invalid")),
    ] {
        check(as_is, &json!({"sub": "alice", "exp": exp}), expected);
    }
    let no_leeway = |config: &mut JwtConfig| config.leeway = Duration::ZERO;
    check(no_leeway, &json!({"sub": "alice", "exp": NOW_S + 1}), Ok("alice"));
    check(no_leeway, &json!({"sub": "alice", "exp": NOW_S}), Err("token_expired"));
}

#[test]
fn whoever_is_accepted_is_so_for_as_long_as_another_would_be() {
    for exp in [NOW_S + 60, NOW_S, NOW_S - 3, NOW_S - 29] {
        let token = Pair::secret().token(&json!({"alg": "HS256"}), &json!({"sub": "alice", "exp": exp}));
        let jwt = Jwt::new(JwtConfig::new(secret_source())).unwrap();
        let end = authenticate(&jwt, &token).unwrap().expires_at.unwrap();
        assert!(end > now(), "exp {exp}: not over as soon as it has begun");
        assert!(jwt.authenticate(&token, end - Duration::from_millis(1)).is_ok());
        assert!(jwt.authenticate(&token, end).is_err());
    }
}

#[test]
fn exp_is_required_unless_configured_otherwise() {
    check(as_is, &json!({"sub": "alice"}), Err("claim_missing"));
    let optional = |config: &mut JwtConfig| config.require_exp = false;
    check(optional, &json!({"sub": "alice"}), Ok("alice"));
    check(optional, &json!({"sub": "alice", "exp": NOW_S - 31}), Err("token_expired"));
}

#[test]
fn nbf_delays_a_token_and_the_leeway_hastens_that() {
    for (nbf, expected) in [
        (json!(0), Ok("alice")),
        (json!(NOW_S + 30), Ok("alice")),
        (json!(NOW_S + 31), Err("token_not_yet_valid")),
        (json!("tomorrow"), Err("claim_invalid")),
    ] {
        check(as_is, &json!({"sub": "alice", "exp": NOW_S + 60, "nbf": nbf}), expected);
    }
}

#[test]
fn the_audience_must_be_ours() {
    let ours = |config: &mut JwtConfig| config.audience = vec!["chat".to_owned(), "feed".to_owned()];
    for (aud, with_list, without_list) in [
        (None, Err("claim_missing"), Ok("alice")),
        (Some(json!("chat")), Ok("alice"), Err("audience_mismatch")),
        (Some(json!(["shop", "feed"])), Ok("alice"), Err("audience_mismatch")),
        (Some(json!("shop")), Err("audience_mismatch"), Err("audience_mismatch")),
        (Some(json!("Chat")), Err("audience_mismatch"), Err("audience_mismatch")),
        (Some(json!([])), Err("audience_mismatch"), Err("audience_mismatch")),
        (Some(json!(["chat", 1])), Err("claim_invalid"), Err("claim_invalid")),
        (Some(json!(null)), Err("claim_invalid"), Err("claim_invalid")),
    ] {
        let mut claims = json!({"sub": "alice", "exp": NOW_S + 60});
        if let Some(aud) = aud {
            claims["aud"] = aud;
        }
        check(ours, &claims, with_list);
        check(as_is, &claims, without_list);
    }
}

#[test]
fn the_issuer_must_be_trusted() {
    let ours = |config: &mut JwtConfig| config.issuer = vec!["https://id.example".to_owned()];
    for (iss, with_list, without_list) in [
        (None, Err("claim_missing"), Ok("alice")),
        (Some(json!("https://id.example")), Ok("alice"), Ok("alice")),
        (Some(json!("https://id.example/")), Err("issuer_mismatch"), Ok("alice")),
        (Some(json!(["https://id.example"])), Err("claim_invalid"), Ok("alice")),
    ] {
        let mut claims = json!({"sub": "alice", "exp": NOW_S + 60});
        if let Some(iss) = iss {
            claims["iss"] = iss;
        }
        check(ours, &claims, with_list);
        check(as_is, &claims, without_list);
    }
}

#[test]
fn the_user_claim_names_the_user() {
    let exp = NOW_S + 60;
    for (claim, claims, expected) in [
        ("sub", json!({"exp": exp, "sub": 42}), Ok("42")),
        ("sub", json!({"exp": exp, "sub": -7}), Ok("-7")),
        ("sub", json!({"exp": exp, "sub": u64::MAX}), Ok("18446744073709551615")),
        ("uid", json!({"exp": exp, "sub": "bob", "uid": "alice"}), Ok("alice")),
        ("user.id", json!({"exp": exp, "user": {"id": "alice"}}), Ok("alice")),
        ("a.b.c", json!({"exp": exp, "a": {"b": {"c": 1}}}), Ok("1")),
        ("user.id", json!({"exp": exp, "user": {"id": "bob"}, "user.id": "alice"}), Ok("alice")),
        ("https://id.example/user", json!({"exp": exp, "https://id.example/user": "alice"}), Ok("alice")),
        ("sub", json!({"exp": exp}), Err("user_claim_missing")),
        ("user.id", json!({"exp": exp, "user": "alice"}), Err("user_claim_missing")),
        ("user.id", json!({"exp": exp, "user": {"name": "alice"}}), Err("user_claim_missing")),
        ("sub", json!({"exp": exp, "sub": null}), Err("user_claim_invalid")),
        ("sub", json!({"exp": exp, "sub": 1.5}), Err("user_claim_invalid")),
        ("sub", json!({"exp": exp, "sub": true}), Err("user_claim_invalid")),
        ("sub", json!({"exp": exp, "sub": ["alice"]}), Err("user_claim_invalid")),
        ("sub", json!({"exp": exp, "sub": ""}), Err("user_invalid")),
        ("sub", json!({"exp": exp, "sub": "a\nb"}), Err("user_invalid")),
        ("sub", json!({"exp": exp, "sub": "a".repeat(256)}), Err("user_invalid")),
    ] {
        check(|config| claim.clone_into(&mut config.user_claim), &claims, expected);
    }
}

fn check_groups(claim: &str, groups: &Value, expected: Result<&[&str], &str>) {
    let mut config = JwtConfig::new(secret_source());
    claim.clone_into(&mut config.groups_claim);
    config.groups_max = 3;
    let mut claims = json!({"sub": "alice", "exp": NOW_S + 60});
    claims.as_object_mut().unwrap().extend(groups.as_object().unwrap().clone());
    let token = Pair::secret().token(&json!({"alg": "HS256"}), &claims);
    let outcome = authenticate(&Jwt::new(config).unwrap(), &token);
    let groups =
        outcome.as_ref().map(|identity| identity.groups.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(groups.as_deref().map_err(|error| error.reason()), expected, "{claims}");
}

#[test]
fn the_groups_claim_lists_the_groups() {
    check_groups("groups", &json!({}), Ok(&[]));
    check_groups("groups", &json!({"groups": null}), Ok(&[]));
    check_groups("groups", &json!({"groups": []}), Ok(&[]));
    check_groups("groups", &json!({"groups": ["b", "a", "b"]}), Ok(&["b", "a"]));
    check_groups("groups", &json!({"groups": "one, and only"}), Ok(&["one, and only"]));
    check_groups("access.rooms", &json!({"access": {"rooms": ["r1"]}}), Ok(&["r1"]));
    check_groups("groups", &json!({"groups": ["a", "b", "c", "a"]}), Ok(&["a", "b", "c"]));
    check_groups("groups", &json!({"groups": ["a", "b", "c", "d"]}), Err("groups_too_many"));
    check_groups("groups", &json!({"groups": [1]}), Err("groups_claim_invalid"));
    check_groups("groups", &json!({"groups": {"a": 1}}), Err("groups_claim_invalid"));
    check_groups("groups", &json!({"groups": ["a", ""]}), Err("group_invalid"));
    check_groups("groups", &json!({"groups": ["a\0"]}), Err("group_invalid"));
}

fn check_permissions(claim: &str, more: &Value, expected: Result<&PermissionsClaim, &str>) {
    let mut config = JwtConfig::new(secret_source());
    claim.clone_into(&mut config.permissions_claim);
    let mut claims = json!({"sub": "alice", "exp": NOW_S + 60});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let token = Pair::secret().token(&json!({"alg": "HS256"}), &claims);
    let outcome = authenticate(&Jwt::new(config).unwrap(), &token);
    match (outcome, expected) {
        (Ok(identity), Ok(expected)) => assert_eq!(identity.permissions, *expected, "{claims}"),
        (Err(error), Err(words)) => {
            assert_eq!(error.reason(), "permissions_claim_invalid", "{claims}");
            assert!(error.to_string().contains(words), "{claims}: {error}");
        }
        (outcome, expected) => panic!("{claims}: {outcome:?}, not {expected:?}"),
    }
}

#[test]
fn the_permissions_claim_says_what_its_bearer_may() {
    let nothing_said = PermissionsClaim::default;
    let list = |texts: &[&str]| Some(Patterns::new(texts).unwrap());
    let said = |claim: Value, expected: &PermissionsClaim| {
        check_permissions("ringway", &json!({ "ringway": claim }), Ok(expected));
    };
    check_permissions("ringway", &json!({}), Ok(&nothing_said()));
    said(json!(null), &nothing_said());
    said(json!({}), &nothing_said());
    said(json!({"join": null, "send_own_groups": null}), &nothing_said());
    said(json!({"join": []}), &PermissionsClaim { join: list(&[]), ..nothing_said() });
    said(
        json!({"join": ["room-*", "hall"]}),
        &PermissionsClaim { join: list(&["room-*", "hall"]), ..nothing_said() },
    );
    let all = json!({"send_users": ["*"], "send_groups": ["g"], "send_own_groups": false, "watch": ["b*"], "events": ["e"]});
    let expected = PermissionsClaim {
        join: None,
        send_users: list(&["*"]),
        send_groups: list(&["g"]),
        send_own_groups: Some(false),
        watch: list(&["b*"]),
        events: list(&["e"]),
    };
    said(all, &expected);
    let nested = json!({"app": {"may": {"join": ["x"]}}});
    let expected = PermissionsClaim { join: list(&["x"]), ..nothing_said() };
    check_permissions("app.may", &nested, Ok(&expected));
}

#[test]
fn a_permissions_claim_that_is_wrong_is_refused() {
    let check = |claim: Value, words: &str| {
        check_permissions("ringway", &json!({ "ringway": claim }), Err(words));
    };
    check(json!("*"), "`ringway` claim cannot be read: it must be an object with some of join, send_users");
    check(json!([]), "it must be an object");
    check(json!(true), "it must be an object");
    check(json!({"jion": ["*"]}), "a member that is not known; known are join");
    check(json!({"join": "room"}), "`join` must be an array of strings");
    check(json!({"watch": ["a", 1]}), "`watch` must be an array of strings");
    check(json!({"send_own_groups": "yes"}), "`send_own_groups` must be true or false");
    check(json!({"join": [""]}), "`join`: a pattern is empty");
    check(json!({"events": ["*.paid"]}), "`events`: a pattern has a `*` before its end");
    check(json!({"send_users": vec!["x"; 65]}), "`send_users`: the list has 65 patterns; at most 64");
    check(json!({"send_groups": ["x".repeat(256)]}), "`send_groups`: a pattern has 256 bytes");
}

#[test]
fn the_identity_carries_the_claims_as_they_were_signed() {
    let payload = format!("{{ \"sub\":\"alice\", \"z\":1.0, \"a\":\"é\\u00e9\", \"exp\":{} }}", NOW_S + 5);
    let identity = authenticate_payload(payload.as_bytes()).unwrap();
    assert_eq!(identity.claims.as_deref(), Some(payload.as_str()));
    assert_eq!(identity.expires_at, Some(now() + Duration::from_secs(5) + LEEWAY));
    assert!(identity.expires_at > Some(SystemTime::UNIX_EPOCH));
}

#[test]
fn a_payload_that_is_no_json_object_is_refused() {
    for payload in [&b"[]"[..], b"\"alice\"", b"", b"{", b"{\"sub\":\"\xff\"}", b"{} {}"] {
        assert_eq!(authenticate_payload(payload).map_err(|error| error.reason()), Err("token_malformed"));
    }
}

fn authenticate_payload(payload: &[u8]) -> Result<ringway_auth::Identity, ringway_auth::AuthError> {
    use crate::support::{base64url, jwt};
    let pair = Pair::secret();
    let signed = format!("{}.{}", base64url(r#"{"alg":"HS256"}"#), base64url(payload));
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &pair.signing, pair.algorithm).unwrap();
    authenticate(&jwt(secret_source()), &ringway_auth::Token::new(format!("{signed}.{signature}")))
}

#[test]
fn the_texts_say_what_is_wrong_and_what_would_be_right() {
    let mut config = JwtConfig::new(secret_source());
    config.audience = vec!["chat".to_owned(), "feed".to_owned()];
    let jwt = Jwt::new(config).unwrap();
    for (claims, text) in [
        (json!({"exp": NOW_S - 90}), "the token expired 90 s ago; get a new one"),
        (json!({}), "the token has no `exp` claim, which is required here"),
        (
            json!({"exp": NOW_S + 9, "aud": "x"}),
            "the token is meant for another audience; expected here: `chat`, `feed`",
        ),
        (json!({"exp": NOW_S + 9, "aud": "chat"}), "the token has no `sub` claim, which must name the user"),
    ] {
        let token = Pair::secret().token(&json!({"alg": "HS256"}), &claims);
        assert_eq!(authenticate(&jwt, &token).unwrap_err().to_string(), text);
    }
}
