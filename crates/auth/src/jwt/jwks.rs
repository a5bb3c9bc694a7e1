//! Keys from a file with a JWK set (RFC 7517 section 5).

use std::path::Path;

use jsonwebtoken::jwk::JwkSet;

use super::KeyError;
use super::key::{KEYS_MAX, VerifyingKey};

/// Reads every key of the set at `path` that verifies signatures with an algorithm of ours.
///
/// A weak or broken key fails the whole file: leaving it out would lock out the users of that key without a
/// word.
pub(super) fn load(path: &Path) -> Result<Vec<VerifyingKey>, KeyError> {
    let path_buf = || path.to_owned();
    let text = std::fs::read(path).map_err(|source| KeyError::Read { path: path_buf(), source })?;
    let set: JwkSet = serde_json::from_slice(&text)
        .map_err(|error| KeyError::Jwks { path: path_buf(), problem: place_of(&error) })?;
    let count = set.keys.len();
    if count > KEYS_MAX {
        return Err(KeyError::TooMany { path: path_buf(), count, keys_max: KEYS_MAX });
    }
    let unfit = |index, problem| KeyError::Unfit { path: path_buf(), index, problem };
    let keys = set.keys.iter().enumerate();
    keys.filter_map(|(index, jwk)| VerifyingKey::from_jwk(jwk).map_err(|why| unfit(index, why)).transpose())
        .collect()
}

/// Where the parser stopped and over what, without the text it stopped at: that may be key material.
fn place_of(error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "a member is missing or of the wrong type",
        _ => "it is not JSON",
    };
    format!("{problem} (line {}, column {})", error.line(), error.column())
}
