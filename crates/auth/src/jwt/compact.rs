//! The compact form of a JWT (RFC 7515 section 3.1): `header.payload.signature`, each in base64url without
//! padding. Reading it proves nothing; only [`super::key::KeySet::verify`] does.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Algorithm;
use crate::AuthError;

/// A token taken apart; the payload is still encoded.
pub(super) struct Compact<'a> {
    /// The algorithm that the header claims; `None` if it is `none` or any other that is unknown here.
    pub(super) algorithm: Option<Algorithm>,
    /// The key that the header names.
    pub(super) kid: Option<String>,
    /// What is signed: header and payload as they stand in the token.
    pub(super) signed: &'a str,
    /// The signature, in base64url.
    pub(super) signature: &'a str,
    payload: &'a str,
}

/// The members of a JOSE header that are read (RFC 7515 section 4.1).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> Compact<'a> {
    /// Takes `token` apart and reads its header.
    pub(super) fn parse(token: &'a str) -> Result<Self, AuthError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed("it has no dots"))?;
        let (header, payload) = signed.split_once('.').ok_or(malformed("it has one dot"))?;
        if payload.contains('.') {
            return Err(malformed("it has more than two dots"));
        }
        let header = decode(header).ok_or(malformed("its header is not base64url"))?;
        let header: Header = serde_json::from_slice(&header)
            .map_err(|_| malformed("its header is not a JSON object with a string `alg`"))?;
        if header.crit.is_some() {
            return Err(AuthError::CriticalHeader);
        }
        Ok(Self { algorithm: header.alg.parse().ok(), kid: header.kid, signed, signature, payload })
    }

    /// The payload, decoded to text.
    pub(super) fn payload(&self) -> Result<String, AuthError> {
        let bytes = decode(self.payload).ok_or(malformed("its payload is not base64url"))?;
        String::from_utf8(bytes).map_err(|_| malformed("its payload is not UTF-8"))
    }
}

impl fmt::Debug for Compact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compact").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

fn malformed(problem: &'static str) -> AuthError {
    AuthError::Malformed { problem }
}
