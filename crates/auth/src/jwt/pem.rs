//! One public key from a PEM file (RFC 7468 section 13).

use std::path::Path;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;

use super::KeyError;
use super::key::VerifyingKey;

/// Reads the one public key at `path`.
pub(super) fn load(path: &Path) -> Result<VerifyingKey, KeyError> {
    let text = std::fs::read(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|problem| KeyError::Pem { path: path.to_owned(), problem })
}

fn parse(text: &[u8]) -> Result<VerifyingKey, &'static str> {
    check_label(&String::from_utf8_lossy(text))?;
    let key = DecodingKey::from_rsa_pem(text)
        .or_else(|_| DecodingKey::from_ec_pem(text))
        .or_else(|_| DecodingKey::from_ed_pem(text))
        .map_err(|_| "holds a public key that cannot be read; expected RSA, P-256 or Ed25519")?;
    // By way of a JWK, so that one place decides which keys are for which algorithm and strong enough.
    let jwk = Jwk::from_decoding_key(&key, None).map_err(|_| "holds a broken public key")?;
    VerifyingKey::from_jwk(&jwk)
        .map_err(|_| "holds a public key that is too weak; RSA needs at least 2048 bits")?
        .ok_or("holds a public key of another kind; expected RSA, P-256 or Ed25519")
}

/// The library reads private keys and certificates too, and not always right: only public keys pass.
fn check_label(text: &str) -> Result<(), &'static str> {
    let labels: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")).collect();
    match labels[..] {
        ["PUBLIC KEY-----" | "RSA PUBLIC KEY-----"] => Ok(()),
        [] => Err("is not PEM; expected one `-----BEGIN PUBLIC KEY-----` block"),
        [label] if label.contains("PRIVATE KEY") => Err(
            "holds a private key, which has no business on a server that only verifies; make a public one with \
             `openssl pkey -pubout`",
        ),
        [label] if label.starts_with("CERTIFICATE") => {
            Err("holds a certificate; take its public key out with `openssl x509 -pubkey -noout`")
        }
        [_] => Err("holds something else; expected one `-----BEGIN PUBLIC KEY-----` block"),
        _ => Err("holds several PEM blocks; expected one public key (a JWK set can hold several)"),
    }
}
