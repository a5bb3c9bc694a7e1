//! Mode `jwt`: the token is a JSON Web Token (RFC 7519) in compact form, signed with a key we know.
//!
//! What keeps forged tokens out:
//!
//! - A key belongs to exactly one [`Algorithm`], decided when it is loaded, and it verifies with that one
//!   only. The header's `alg` merely selects among keys, so `none` selects nothing, and an HS256 token
//!   "signed" with the text of a public key meets no HS256 key (RFC 8725 sections 2.1 and 3.1).
//! - Keys come from the configuration alone. `jwk`, `jku`, `x5c` and `x5u` in a header are never read.
//! - A header with `crit` is refused, because no extension is supported (RFC 7515 section 4.1.11).
//! - Nothing of the payload is read before its signature holds.

mod algorithm;
mod claims;
mod compact;
mod error;
mod jwks;
mod key;
mod pem;
mod permissions;
mod signer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use error::{KeyError, SignError};
pub use key::{SECRET_BYTES_MIN, Secret};
pub use signer::{JwtSigner, TokenRequest};

use crate::{AuthError, Authenticator, Identity, Token};
use compact::Compact;
use key::KeySet;

/// What a [`Jwt`] authenticator demands of a token.
#[derive(Clone, Debug)]
pub struct JwtConfig {
    /// Where the keys come from.
    pub keys: KeySource,
    /// The algorithms allowed; empty: whatever the keys are for. Keys for another one are not used.
    pub algorithms: Vec<Algorithm>,
    /// Whether a token must end (`exp`).
    pub require_exp: bool,
    /// How far the issuer's clock and ours may be apart; applied to `exp` and `nbf`, and to the end of the identity.
    pub leeway: Duration,
    /// The audiences we answer to; a token's `aud` must name one. Empty: a token without `aud` is accepted,
    /// and one with it is refused, because it is meant for somebody else (RFC 7519 section 4.1.3).
    pub audience: Vec<String>,
    /// The issuers trusted; a token's `iss` must be one. Empty: `iss` is not looked at.
    pub issuer: Vec<String>,
    /// The claim that names the user, a string or an integer. A claim of exactly this name is taken if there
    /// is one; otherwise dots lead into objects (`user.id`).
    pub user_claim: String,
    /// The claim that lists the groups: an array of strings, or a single string that names a single group
    /// (it is not split). Absent or `null`: no groups. Dots as in `user_claim`.
    pub groups_claim: String,
    /// How many different groups one token may name.
    pub groups_max: usize,
    /// The claim that says what the client may do (`docs/permissions.md`): an object. Absent or `null`: what everybody may.
    /// Dots as in `user_claim`.
    pub permissions_claim: String,
}

impl JwtConfig {
    /// The defaults: all algorithms that the keys are for, `exp` required, 30 s of leeway, no audience, any
    /// issuer, claims `sub`, `groups` and `ringway`, 64 groups.
    pub fn new(keys: KeySource) -> Self {
        Self {
            keys,
            algorithms: Vec::new(),
            require_exp: true,
            leeway: Duration::from_secs(30),
            audience: Vec::new(),
            issuer: Vec::new(),
            user_claim: "sub".to_owned(),
            groups_claim: "groups".to_owned(),
            groups_max: 64,
            permissions_claim: "ringway".to_owned(),
        }
    }
}

/// Where verification keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A shared secret, for HS256.
    Secret(Secret),
    /// A file with one public key in PEM (`BEGIN PUBLIC KEY`, or `BEGIN RSA PUBLIC KEY`): RSA for RS256,
    /// P-256 for ES256, Ed25519 for `EdDSA`. A token's `kid` is not looked at.
    PublicKeyPem {
        /// The file.
        path: PathBuf,
    },
    /// A file with a JWK set (RFC 7517 section 5). A token with a `kid` is verified with the keys of that
    /// `kid`; one without is tried with every key for its algorithm. Keys of other kinds or uses are passed
    /// over. `oct` keys are secrets, so a file that has any must be kept like one.
    Jwks {
        /// The file.
        path: PathBuf,
    },
}

impl KeySource {
    /// The file that the keys are read from; `None` for a secret.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Secret(_) => None,
            Self::PublicKeyPem { path } | Self::Jwks { path } => Some(path),
        }
    }
}

/// Verifies JSON Web Tokens.
#[derive(Debug)]
pub struct Jwt {
    config: JwtConfig,
    keys: ArcSwap<KeySet>,
}

impl Jwt {
    /// Loads the keys.
    ///
    /// # Errors
    /// [`KeyError`] if they cannot be read, are too weak, or none is for an allowed algorithm.
    pub fn new(config: JwtConfig) -> Result<Self, KeyError> {
        let keys = KeySet::load(&config.keys, &config.algorithms)?;
        Ok(Self { config, keys: ArcSwap::from_pointee(keys) })
    }

    /// Reads the key file again and puts its keys in force; says how many. For a caller that watches
    /// [`Jwt::key_path`]. With a secret there is nothing to read again.
    ///
    /// # Errors
    /// [`KeyError`] as in [`Jwt::new`]; the old keys then stay in force.
    pub fn reload(&self) -> Result<usize, KeyError> {
        let keys = KeySet::load(&self.config.keys, &self.config.algorithms)?;
        let count = keys.len();
        self.keys.store(Arc::new(keys));
        Ok(count)
    }

    /// The file to watch for [`Jwt::reload`], if the keys come from one.
    pub fn key_path(&self) -> Option<&Path> {
        self.config.keys.path()
    }
}

impl Authenticator for Jwt {
    fn authenticate(&self, token: &Token, now: SystemTime) -> Result<Identity, AuthError> {
        let compact = Compact::parse(token.expose())?;
        self.keys.load().verify(&compact)?;
        claims::identity(compact.payload()?, &self.config, now)
    }

    fn mode(&self) -> &'static str {
        "jwt"
    }
}
