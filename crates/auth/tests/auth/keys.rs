//! Loading keys: what is refused and how that is said, and reloading.

use std::path::PathBuf;

use ringway_auth::jwt::Secret;
use ringway_auth::{Jwt, JwtConfig, KeySource};
use serde_json::{Value, json};

use crate::support::{Pair, SECRET, TempKeyFile, base64url, jwt, key_file, outcome, secret_source};

fn check_refused(keys: KeySource, expected: &str) {
    let path = keys.path().unwrap().display().to_string();
    let text = Jwt::new(JwtConfig::new(keys)).unwrap_err().to_string();
    assert!(text.contains(expected), "{text:?} should contain {expected:?}");
    assert!(text.contains(&path) || text.contains("no key for"), "{text:?} should name the file");
}

#[test]
fn a_secret_must_be_as_long_as_its_hash() {
    for (length, fine) in [(0, false), (31, false), (32, true), (200, true)] {
        assert_eq!(Secret::new(vec![b'x'; length]).is_ok(), fine, "{length} bytes");
    }
    let text = Secret::new("hunter2").unwrap_err().to_string();
    assert!(text.contains("7 bytes long; it must be at least 32") && !text.contains("hunter2"), "{text}");
}

#[test]
fn debug_output_shows_no_key() {
    let config = JwtConfig::new(secret_source());
    let shown = format!("{config:?} {:?}", Jwt::new(config.clone()).unwrap());
    assert!(!shown.contains("test secret") && !shown.contains(&format!("{:?}", &SECRET[..4])), "{shown}");
}

#[test]
fn pem_files_must_hold_one_public_key_that_is_strong_enough() {
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let twice = p256.public_key_pem().repeat(2);
    let cut = p256.public_key_pem().replace("MFkw", "AAAA");
    for (content, expected) in [
        ("", "is not PEM"),
        ("not a key", "is not PEM"),
        (p256.serialize_pem().as_str(), "holds a private key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "holds a private key"),
        ("-----BEGIN CERTIFICATE-----", "openssl x509 -pubkey"),
        ("-----BEGIN EC PARAMETERS-----", "holds something else"),
        (twice.as_str(), "holds several PEM blocks"),
        (p384.public_key_pem().as_str(), "of another kind"),
        (cut.as_str(), "cannot be read"),
    ] {
        check_refused(TempKeyFile::new(content).as_pem(), expected);
    }
    check_refused(KeySource::PublicKeyPem { path: key_file("rsa1024_public.pem") }, "at least 2048 bits");
    check_refused(KeySource::PublicKeyPem { path: PathBuf::from("/nowhere/key.pem") }, "cannot read");
}

#[test]
fn jwk_sets_must_be_sound() {
    let short = json!({"kty": "oct", "k": base64url("too short")});
    let many: Vec<Value> = (0..65).map(|_| Pair::secret().jwk).collect();
    let broken = json!({"kty": "OKP", "crv": "Ed25519", "x": "*"});
    let cut = json!({"kty": "EC", "crv": "P-256", "x": base64url([1; 31]), "y": base64url([1; 32])});
    for (content, expected) in [
        (String::new(), "it ends too early"),
        ("keys".to_owned(), "it is not JSON"),
        ("[]".to_owned(), "of the wrong type"),
        (json!({"keys": 1}).to_string(), "of the wrong type"),
        (json!({"keys": []}).to_string(), "the keys are for none of them"),
        (json!({"keys": many}).to_string(), "holds 65 keys; at most 64"),
        (json!({"keys": [Pair::secret().jwk, short]}).to_string(), "key 1 (counted from 0): the secret is"),
        (json!({"keys": [broken]}).to_string(), "not base64url"),
        (json!({"keys": [cut]}).to_string(), "coordinates"),
    ] {
        check_refused(TempKeyFile::new(&content).as_jwks(), expected);
    }
    check_refused(KeySource::Jwks { path: PathBuf::from("/nowhere/jwks.json") }, "cannot read");
}

/// RFC 7517 sections 4.2 to 4.4 and 5.
#[test]
fn keys_that_are_not_for_our_signatures_are_passed_over() {
    let pair = Pair::p256();
    let with = |member: &str, value: Value| {
        let mut jwk = pair.jwk.clone();
        jwk[member] = value;
        jwk
    };
    for (jwk, used) in [
        (pair.jwk.clone(), true),
        (with("use", json!("sig")), true),
        (with("use", json!("enc")), false),
        (with("key_ops", json!(["verify"])), true),
        (with("key_ops", json!(["encrypt"])), false),
        (with("alg", json!("ES256")), true),
        (with("alg", json!("ECDH-ES")), false),
        (with("alg", json!("HS256")), false),
        (with("kty", json!("unheard-of")), false),
        (with("crv", json!("secp256k1")), false),
    ] {
        let set = TempKeyFile::jwks(&[jwk.clone(), Pair::secret().jwk]);
        let accepted = outcome(&jwt(set.as_jwks()), &pair.good_token()).is_ok();
        assert_eq!(accepted, used, "{jwk}");
    }
    let mut newer_name = Pair::ed25519();
    newer_name.jwk["alg"] = json!("Ed25519");
    let set = TempKeyFile::jwks(&[newer_name.jwk.clone()]);
    assert!(outcome(&jwt(set.as_jwks()), &newer_name.good_token()).is_ok());
}

#[test]
fn reloading_replaces_the_keys_and_keeps_them_on_an_error() {
    let (old, new) = (Pair::p256(), Pair::p256());
    let file = TempKeyFile::jwks(&[old.jwk_named("old")]);
    let jwt = jwt(file.as_jwks());
    let accepts = |pair: &Pair| outcome(&jwt, &pair.good_token()).is_ok();
    assert_eq!((accepts(&old), accepts(&new)), (true, false));

    file.write(&json!({"keys": [old.jwk_named("old"), new.jwk_named("new")]}).to_string());
    assert_eq!((accepts(&old), accepts(&new)), (true, false), "not before it is told");
    assert_eq!(jwt.reload().unwrap(), 2);
    assert_eq!((accepts(&old), accepts(&new)), (true, true));

    for bad in ["", "{\"keys\": []}"] {
        file.write(bad);
        jwt.reload().unwrap_err();
        assert_eq!((accepts(&old), accepts(&new)), (true, true), "the old keys stay");
    }
    file.write(&json!({"keys": [new.jwk]}).to_string());
    assert_eq!(jwt.reload().unwrap(), 1);
    assert_eq!((accepts(&old), accepts(&new)), (false, true));
}

#[test]
fn a_secret_has_no_file_to_watch() {
    let jwt = jwt(secret_source());
    assert_eq!((jwt.key_path(), jwt.reload().unwrap()), (None, 1));
}
