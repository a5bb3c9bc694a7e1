//! Keys, tokens and configurations for the tests.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData};
use ringway_auth::jwt::Secret;
use ringway_auth::{AuthError, Authenticator, Identity, Jwt, JwtConfig, KeySource, Token};
use serde_json::{Value, json};

pub(crate) const SECRET: &[u8] = b"a test secret of forty bytes, no less!!!";

/// What every test takes for the present: 1 000 000 000 seconds after 1970.
pub(crate) const NOW_S: u64 = 1_000_000_000;

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S)
}

/// A file under `tests/keys`.
pub(crate) fn key_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name)
}

/// A key pair that signs with one algorithm.
pub(crate) struct Pair {
    pub(crate) algorithm: jsonwebtoken::Algorithm,
    pub(crate) signing: EncodingKey,
    pub(crate) public_pem: String,
    /// The public half as a JWK, without `kid`.
    pub(crate) jwk: Value,
}

impl Pair {
    pub(crate) fn rsa() -> Self {
        let private = std::fs::read(key_file("rsa2048_private.pem")).unwrap();
        let signing = EncodingKey::from_rsa_pem(&private).unwrap();
        let algorithm = jsonwebtoken::Algorithm::RS256;
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&signing, algorithm).unwrap();
        let public_pem = std::fs::read_to_string(key_file("rsa2048_public.pem")).unwrap();
        Self { algorithm, signing, public_pem, jwk: serde_json::to_value(jwk).unwrap() }
    }

    pub(crate) fn p256() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let (x, y) = pair.der_bytes()[1..].split_at(32);
        Self {
            algorithm: jsonwebtoken::Algorithm::ES256,
            signing: EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap(),
            public_pem: pair.public_key_pem(),
            jwk: json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)}),
        }
    }

    pub(crate) fn ed25519() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Self {
            algorithm: jsonwebtoken::Algorithm::EdDSA,
            signing: EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap(),
            public_pem: pair.public_key_pem(),
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.der_bytes())}),
        }
    }

    pub(crate) fn secret() -> Self {
        Self {
            algorithm: jsonwebtoken::Algorithm::HS256,
            signing: EncodingKey::from_secret(SECRET),
            public_pem: String::new(),
            jwk: json!({"kty": "oct", "k": base64url(SECRET)}),
        }
    }

    /// The public half as a JWK with this `kid`.
    pub(crate) fn jwk_named(&self, kid: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = json!(kid);
        jwk
    }

    /// A token with this header and these claims, signed as the pair signs, whatever the header says.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> Token {
        let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.signing, self.algorithm).unwrap();
        Token::new(format!("{signed}.{signature}"))
    }

    /// A token for alice that is good for a minute, with the pair's own `alg`.
    pub(crate) fn good_token(&self) -> Token {
        self.token(&json!({"alg": self.algorithm, "typ": "JWT"}), &good_claims())
    }
}

pub(crate) fn good_claims() -> Value {
    json!({"sub": "alice", "exp": NOW_S + 60})
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn secret_source() -> KeySource {
    KeySource::Secret(Secret::new(SECRET).unwrap())
}

/// An authenticator with the default demands.
pub(crate) fn jwt(keys: KeySource) -> Jwt {
    Jwt::new(JwtConfig::new(keys)).unwrap()
}

/// A file that is gone when it is dropped.
pub(crate) struct TempKeyFile(tempfile::NamedTempFile);

impl TempKeyFile {
    pub(crate) fn new(content: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Self(file)
    }

    pub(crate) fn jwks(keys: &[Value]) -> Self {
        Self::new(&json!({ "keys": keys }).to_string())
    }

    pub(crate) fn write(&self, content: &str) {
        std::fs::write(self.0.path(), content).unwrap();
    }

    pub(crate) fn as_pem(&self) -> KeySource {
        KeySource::PublicKeyPem { path: self.0.path().to_owned() }
    }

    pub(crate) fn as_jwks(&self) -> KeySource {
        KeySource::Jwks { path: self.0.path().to_owned() }
    }
}

/// The outcome of `token` at [`now`]: the user, or the reason for the refusal. On the way it holds the law
/// that no error repeats the token.
pub(crate) fn outcome(jwt: &Jwt, token: &Token) -> Result<String, &'static str> {
    authenticate(jwt, token).map(|identity| identity.user).map_err(|error| error.reason())
}

pub(crate) fn authenticate(jwt: &Jwt, token: &Token) -> Result<Identity, AuthError> {
    jwt.authenticate(token, now()).inspect_err(|error| {
        let shown = format!("{error} {error:?}");
        for part in token.expose().split('.').filter(|part| part.len() >= 20) {
            assert!(!shown.contains(part), "the error repeats the token: {shown}");
        }
    })
}
