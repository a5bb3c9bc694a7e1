//! What can be wrong with keys, and with a token that is to be signed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::Algorithm;
use super::key::SECRET_BYTES_MIN;
use crate::NameError;

/// Why keys cannot be used. No text repeats key material.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the key file {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The secret is shorter than [`SECRET_BYTES_MIN`] (RFC 7518 section 3.2).
    #[error(
        "the secret for HS256 is {bytes} bytes long; it must be at least {SECRET_BYTES_MIN} (RFC 7518 \
         section 3.2), for example from `openssl rand -base64 32`"
    )]
    SecretTooShort {
        /// How long it is.
        bytes: usize,
    },
    /// Not one public key in PEM.
    #[error("the key file {} {problem}", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        problem: &'static str,
    },
    /// Not a JWK set.
    #[error("the key file {} is not a JWK set like {{\"keys\": [...]}} (RFC 7517 section 5): {problem}", .path.display())]
    Jwks {
        /// The file.
        path: PathBuf,
        /// What the parser said, without the file's text.
        problem: String,
    },
    /// One key of the file is too weak or broken.
    #[error("the key file {}, key {index} (counted from 0): {problem}", .path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Which of its keys.
        index: usize,
        /// What is wrong, and what was expected.
        problem: &'static str,
    },
    /// More keys than a set may hold, which bounds what verifying a token without a `kid` can cost.
    #[error("the key file {} holds {count} keys; at most {keys_max} are allowed", .path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many it holds.
        count: usize,
        /// How many are allowed.
        keys_max: usize,
    },
    /// No key is left for the allowed algorithms.
    #[error(
        "there is no key for an allowed algorithm: allowed are {}, the keys are for {}",
        names(.allowed), names(.found)
    )]
    NoKey {
        /// The configured allow-list, or all algorithms if it is empty.
        allowed: Vec<Algorithm>,
        /// What the keys are for.
        found: Vec<Algorithm>,
    },
}

/// Why a token cannot be signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// The user's or a group's name cannot be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An extra claim would replace one that the signer sets.
    #[error("the claim `{claim}` is set by the signer itself and cannot be given as an extra one")]
    ReservedClaim {
        /// The claim's name.
        claim: String,
    },
    /// A time before 1970, which a claim cannot hold (RFC 7519 section 2).
    #[error("the time for the claim `{claim}` lies before 1970")]
    Time {
        /// The claim's name.
        claim: &'static str,
    },
    /// The signature library refused.
    #[error("cannot sign the token: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

fn names(algorithms: &[Algorithm]) -> String {
    match algorithms {
        [] => "none of them".to_owned(),
        algorithms => algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", "),
    }
}
