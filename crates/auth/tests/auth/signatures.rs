//! Which signatures are believed: every algorithm, every kind of key, and every known way to cheat.

use std::sync::Arc;

use ringway_auth::jwt::Algorithm;
use ringway_auth::{Authenticator, Jwt, JwtConfig, KeyError, KeySource, Plain, Token};
use serde_json::{Value, json};

use crate::support::{Pair, TempKeyFile, base64url, good_claims, jwt, key_file, outcome, secret_source};

fn alice() -> Result<String, &'static str> {
    Ok("alice".to_owned())
}

fn public_pairs() -> [Pair; 3] {
    [Pair::rsa(), Pair::p256(), Pair::ed25519()]
}

#[test]
fn each_algorithm_verifies_with_its_key_and_with_no_other() {
    let pairs = public_pairs();
    for verifier in &pairs {
        let file = TempKeyFile::new(&verifier.public_pem);
        let jwt = jwt(file.as_pem());
        for signer in &pairs {
            let expected =
                if signer.algorithm == verifier.algorithm { alice() } else { Err("algorithm_not_allowed") };
            assert_eq!(outcome(&jwt, &signer.good_token()), expected, "{:?}", signer.algorithm);
        }
        assert_eq!(outcome(&jwt, &Pair::secret().good_token()), Err("algorithm_not_allowed"));
    }
    assert_eq!(outcome(&jwt(secret_source()), &Pair::secret().good_token()), alice());
}

#[test]
fn a_key_of_the_same_kind_is_not_the_same_key() {
    for (ours, theirs) in [(Pair::p256(), Pair::p256()), (Pair::ed25519(), Pair::ed25519())] {
        let file = TempKeyFile::new(&ours.public_pem);
        assert_eq!(outcome(&jwt(file.as_pem()), &theirs.good_token()), Err("signature_invalid"));
    }
}

#[test]
fn an_rsa_key_may_be_in_pkcs1_too() {
    let jwt = jwt(KeySource::PublicKeyPem { path: key_file("rsa2048_public_pkcs1.pem") });
    assert_eq!(outcome(&jwt, &Pair::rsa().good_token()), alice());
}

#[test]
fn ed25519_has_two_names() {
    let pair = Pair::ed25519();
    let file = TempKeyFile::new(&pair.public_pem);
    let token = pair.token(&json!({"alg": "Ed25519"}), &good_claims());
    assert_eq!(outcome(&jwt(file.as_pem()), &token), alice());
}

/// RFC 8725 section 2.1: a server that lets the header choose the algorithm takes the public key, which
/// everybody has, for an HMAC secret.
#[test]
fn a_public_key_is_never_a_secret() {
    for pair in public_pairs() {
        let file = TempKeyFile::new(&pair.public_pem);
        let forged_with = |secret: &[u8]| Pair {
            signing: jsonwebtoken::EncodingKey::from_secret(secret),
            ..Pair::secret()
        };
        let forger = forged_with(pair.public_pem.as_bytes());
        assert_eq!(outcome(&jwt(file.as_pem()), &forger.good_token()), Err("algorithm_not_allowed"));
        // The same with a header that names the algorithm the key is for.
        let disguised = forger.token(&json!({"alg": pair.algorithm}), &good_claims());
        assert_eq!(outcome(&jwt(file.as_pem()), &disguised), Err("signature_invalid"));
        // The same against a set that holds the key beside a secret.
        let set = TempKeyFile::jwks(&[pair.jwk_named("public"), Pair::secret().jwk_named("secret")]);
        for kid in [json!("public"), json!("secret"), Value::Null] {
            let token = forger.token(&json!({"alg": "HS256", "kid": kid}), &good_claims());
            assert_eq!(outcome(&jwt(set.as_jwks()), &token), Err("signature_invalid"), "{kid}");
        }
    }
}

#[test]
fn none_and_other_unknown_algorithms_are_refused() {
    let jwt = jwt(secret_source());
    for name in ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "PS256", "hs256"] {
        let header = base64url(json!({"alg": name}).to_string());
        let unsigned = format!("{header}.{}.", base64url(good_claims().to_string()));
        assert_eq!(outcome(&jwt, &Token::new(unsigned)), Err("algorithm_not_allowed"), "{name:?}");
        let signed = Pair::secret().token(&json!({"alg": name}), &good_claims());
        assert_eq!(outcome(&jwt, &signed), Err("algorithm_not_allowed"), "{name:?}");
    }
}

#[test]
fn a_signature_must_be_there_and_fit() {
    let jwt = jwt(secret_source());
    let good = Pair::secret().good_token();
    let (signed, signature) = good.expose().rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let mallory = base64url(json!({"sub": "mallory", "exp": 9_999_999_999_u64}).to_string());
    for (token, reason) in [
        (format!("{signed}."), "signature_invalid"),
        (format!("{signed}.{}", &signature[1..]), "signature_invalid"),
        (format!("{signed}.{signature}="), "signature_invalid"),
        (format!("{header}.{mallory}.{signature}"), "signature_invalid"),
        (signed.to_owned(), "token_malformed"),
        (format!("{header}.{payload}.{signature}."), "token_malformed"),
        (format!(".{payload}.{signature}"), "token_malformed"),
        ("a.b.c".to_owned(), "token_malformed"),
        (format!("{}.{payload}.{signature}", base64url("[]")), "token_malformed"),
        (format!("{}.{payload}.{signature}", base64url("{}")), "token_malformed"),
        (format!("{}.{payload}.{signature}", base64url(r#"{"alg":1}"#)), "token_malformed"),
        (format!("{}.{payload}.{signature}", base64url(r#"{"alg":"HS256","kid":1}"#)), "token_malformed"),
        (
            format!("{}.{payload}.{signature}", base64url(r#"{"alg":"none","alg":"HS256"}"#)),
            "token_malformed",
        ),
        (String::new(), "token_malformed"),
        ("..".to_owned(), "token_malformed"),
    ] {
        assert_eq!(outcome(&jwt, &Token::new(token.clone())), Err(reason), "{token}");
    }
}

#[test]
fn demands_for_extensions_are_refused() {
    let header = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    let token = Pair::secret().token(&header, &good_claims());
    assert_eq!(outcome(&jwt(secret_source()), &token), Err("critical_header"));
}

/// A key that comes with the token proves nothing (RFC 8725 section 3.10).
#[test]
fn a_key_in_the_header_is_not_believed() {
    let (ours, theirs) = (Pair::p256(), Pair::p256());
    let set = TempKeyFile::jwks(&[ours.jwk_named("k1")]);
    let header = json!({"alg": "ES256", "kid": "k1", "jwk": theirs.jwk, "jku": "https://evil.example/jwks"});
    assert_eq!(
        outcome(&jwt(set.as_jwks()), &theirs.token(&header, &good_claims())),
        Err("signature_invalid")
    );
}

#[test]
fn the_kid_selects_the_key() {
    let (first, second, rsa) = (Pair::p256(), Pair::p256(), Pair::rsa());
    let set = TempKeyFile::jwks(&[
        first.jwk_named("first"),
        second.jwk_named("second"),
        rsa.jwk_named("rsa"),
        Pair::ed25519().jwk,
    ]);
    let jwt = jwt(set.as_jwks());
    for (pair, kid, expected) in [
        (&first, Some("first"), alice()),
        (&second, Some("second"), alice()),
        (&rsa, Some("rsa"), alice()),
        (&first, None, alice()),
        (&second, None, alice()),
        (&first, Some("second"), Err("signature_invalid")),
        (&first, Some("rsa"), Err("signature_invalid")),
        (&first, Some("third"), Err("key_unknown")),
        (&first, Some(""), Err("key_unknown")),
        (&Pair::p256(), None, Err("signature_invalid")),
    ] {
        let mut header = json!({"alg": pair.algorithm});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        assert_eq!(outcome(&jwt, &pair.token(&header, &good_claims())), expected, "{kid:?}");
    }
}

/// The header and the key must agree, even where some other key of the set would fit the header.
#[test]
fn a_header_that_names_another_algorithm_than_the_key_is_refused() {
    let (p256, ed25519) = (Pair::p256(), Pair::ed25519());
    let set = TempKeyFile::jwks(&[p256.jwk_named("k"), ed25519.jwk_named("k")]);
    for header in [json!({"alg": "EdDSA"}), json!({"alg": "EdDSA", "kid": "k"})] {
        assert_eq!(
            outcome(&jwt(set.as_jwks()), &p256.token(&header, &good_claims())),
            Err("signature_invalid")
        );
    }
}

#[test]
fn authenticators_are_interchangeable_and_name_their_mode() {
    let all: [Arc<dyn Authenticator>; 2] = [Arc::new(Plain::default()), Arc::new(jwt(secret_source()))];
    assert_eq!(all.map(|one| one.mode()), ["plain", "jwt"]);
}

#[test]
fn a_single_key_does_not_care_about_the_kid() {
    let token = Pair::secret().token(&json!({"alg": "HS256", "kid": "anything"}), &good_claims());
    assert_eq!(outcome(&jwt(secret_source()), &token), alice());
}

#[test]
fn the_allow_list_takes_keys_out_of_use() {
    let (rsa, p256) = (Pair::rsa(), Pair::p256());
    let set = TempKeyFile::jwks(&[rsa.jwk.clone(), p256.jwk.clone()]);
    let mut config = JwtConfig::new(set.as_jwks());
    config.algorithms = vec![Algorithm::Es256, Algorithm::Hs256];
    let jwt = Jwt::new(config.clone()).unwrap();
    assert_eq!(outcome(&jwt, &p256.good_token()), alice());
    assert_eq!(outcome(&jwt, &rsa.good_token()), Err("algorithm_not_allowed"));

    config.algorithms = vec![Algorithm::Hs256, Algorithm::EdDsa];
    let error = Jwt::new(config).unwrap_err();
    assert!(matches!(error, KeyError::NoKey { .. }));
    assert_eq!(
        error.to_string(),
        "there is no key for an allowed algorithm: allowed are HS256, EdDSA, the keys are for RS256, ES256"
    );
}
