//! Keys, each bound to one algorithm, and the set of them that is in force.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{DecodingKey, DecodingKeyKind, crypto};

use super::compact::Compact;
use super::{Algorithm, KeyError, KeySource, jwks, pem};
use crate::AuthError;

/// The shortest secret for HS256, in bytes: as long as its hash (RFC 7518 section 3.2).
pub const SECRET_BYTES_MIN: usize = 32;

/// How many keys a set may hold, which bounds what one token without a `kid` can cost.
pub(super) const KEYS_MAX: usize = 64;

/// The shortest RSA modulus, in bytes: 2048 bits (RFC 7518 section 3.3).
const RSA_MODULUS_BYTES_MIN: usize = 256;

/// A shared secret, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps a secret's bytes.
    ///
    /// # Errors
    /// [`KeyError::SecretTooShort`] below [`SECRET_BYTES_MIN`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, KeyError> {
        let bytes = bytes.into();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(KeyError::SecretTooShort { bytes: bytes.len() });
        }
        Ok(Self(bytes))
    }

    /// The secret's bytes. For signing and verifying; never for a log.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// The keys in force.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<VerifyingKey>,
    /// Whether the keys have names, so that a token's `kid` means something.
    named: bool,
}

impl KeySet {
    /// Reads the keys of `source` and keeps those for `allowed` algorithms (all, if that is empty).
    pub(super) fn load(source: &KeySource, allowed: &[Algorithm]) -> Result<Self, KeyError> {
        let (mut keys, named) = match source {
            KeySource::Secret(secret) => (vec![VerifyingKey::secret(secret)], false),
            KeySource::PublicKeyPem { path } => (vec![pem::load(path)?], false),
            KeySource::Jwks { path } => (jwks::load(path)?, true),
        };
        let allowed = if allowed.is_empty() { &Algorithm::ALL } else { allowed };
        let found = algorithms(&keys);
        keys.retain(|key| allowed.contains(&key.algorithm));
        if keys.is_empty() {
            return Err(KeyError::NoKey { allowed: allowed.to_vec(), found });
        }
        Ok(Self { keys, named })
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether one of the keys that the token's header selects made its signature.
    pub(super) fn verify(&self, token: &Compact<'_>) -> Result<(), AuthError> {
        let algorithm = token
            .algorithm
            .filter(|algorithm| self.keys.iter().any(|key| key.algorithm == *algorithm))
            .ok_or_else(|| AuthError::AlgorithmNotAllowed { allowed: algorithms(&self.keys) })?;
        let kid = token.kid.as_ref().filter(|_| self.named);
        let of_kid = |key: &&VerifyingKey| kid.is_none() || key.kid.as_ref() == kid;
        let named: Vec<&VerifyingKey> = self.keys.iter().filter(of_kid).collect();
        if named.is_empty() {
            return Err(AuthError::KeyUnknown);
        }
        let mut candidates = named.into_iter().filter(|key| key.algorithm == algorithm);
        if candidates.any(|key| key.verifies(token)) { Ok(()) } else { Err(AuthError::SignatureInvalid) }
    }
}

/// A key and the one algorithm it verifies with.
#[derive(Debug)]
pub(super) struct VerifyingKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerifyingKey {
    fn secret(secret: &Secret) -> Self {
        Self { kid: None, algorithm: Algorithm::Hs256, key: DecodingKey::from_secret(secret.expose()) }
    }

    /// Takes over a JWK: `None` if it is of a kind or for a use that is none of ours (RFC 7517 section 5
    /// says to ignore such keys), an error if it is ours but weak or broken.
    pub(super) fn from_jwk(jwk: &Jwk) -> Result<Option<Self>, &'static str> {
        let Some(algorithm) = algorithm_of(jwk) else { return Ok(None) };
        let key = DecodingKey::from_jwk(jwk).map_err(|_| "its values are not base64url")?;
        check_strength(algorithm, key.kind())?;
        Ok(Some(Self { kid: jwk.common.key_id.clone(), algorithm, key }))
    }

    fn verifies(&self, token: &Compact<'_>) -> bool {
        let signed = token.signed.as_bytes();
        crypto::verify(token.signature, signed, &self.key, self.algorithm.into()).unwrap_or(false)
    }
}

/// The algorithm that this JWK verifies with: what its type says, unless its `alg`, `use` or `key_ops`
/// (RFC 7517 section 4) keep it for something else.
fn algorithm_of(jwk: &Jwk) -> Option<Algorithm> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::OctetKey(_) => Algorithm::Hs256,
        AlgorithmParameters::RSA(_) => Algorithm::Rs256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::Es256,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDsa,
        _ => return None,
    };
    let common = &jwk.common;
    let for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    let for_algorithm = common.key_algorithm.is_none_or(|named| is_for(named, algorithm));
    (for_signatures && for_algorithm).then_some(algorithm)
}

fn is_for(named: KeyAlgorithm, algorithm: Algorithm) -> bool {
    // RFC 9864's name `Ed25519` is one that the library does not know; an Ed25519 key has no other algorithm.
    let newer_name = algorithm == Algorithm::EdDsa && named == KeyAlgorithm::UNKNOWN_ALGORITHM;
    newer_name || named == KeyAlgorithm::from(jsonwebtoken::Algorithm::from(algorithm))
}

fn check_strength(algorithm: Algorithm, key: &DecodingKeyKind) -> Result<(), &'static str> {
    let bytes = match key {
        DecodingKeyKind::SecretOrDer(bytes) => bytes.len(),
        DecodingKeyKind::RsaModulusExponent { n, .. } => n.len(),
    };
    match algorithm {
        Algorithm::Hs256 if bytes < SECRET_BYTES_MIN => Err("the secret is shorter than 32 bytes"),
        Algorithm::Rs256 if bytes < RSA_MODULUS_BYTES_MIN => Err("the RSA key is shorter than 2048 bits"),
        Algorithm::Es256 if bytes != 65 => Err("the P-256 key's coordinates are not 32 bytes each"),
        Algorithm::EdDsa if bytes != 32 => Err("the Ed25519 key is not 32 bytes long"),
        _ => Ok(()),
    }
}

/// The algorithms these keys are for, each once, in the order of [`Algorithm::ALL`].
fn algorithms(keys: &[VerifyingKey]) -> Vec<Algorithm> {
    let used = |algorithm: &Algorithm| keys.iter().any(|key| key.algorithm == *algorithm);
    Algorithm::ALL.into_iter().filter(used).collect()
}
