//! Why a token was not accepted.
//!
//! The texts go to the client and into logs: each says what was wrong and what would be right, and none
//! repeats the token, a key or a claim's value. [`AuthError::reason`] is the stable code for metrics and for
//! programs.

use std::time::Duration;

use thiserror::Error;

use crate::NameError;
use crate::jwt::Algorithm;

/// Why an [`crate::Authenticator`] refused a token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// Not a JWT in compact form (RFC 7519 section 7.2).
    #[error("the token is not a JWT: {problem}; expected `header.payload.signature`, each in base64url")]
    Malformed {
        /// Which part cannot be read.
        problem: &'static str,
    },
    /// The header's `alg` is `none`, unknown, or not one of those allowed here.
    #[error("the token's algorithm is not allowed here; allowed: {}", join(.allowed))]
    AlgorithmNotAllowed {
        /// What would have been accepted.
        allowed: Vec<Algorithm>,
    },
    /// The header has `crit` (RFC 7515 section 4.1.11): it demands an extension, and none is supported.
    #[error("the token's header demands extensions (`crit`), and none is supported; leave `crit` out")]
    CriticalHeader,
    /// The header's `kid` is not in the key set.
    #[error("the token is signed with a key that is not known here; its `kid` must be one in the key set")]
    KeyUnknown,
    /// No key verifies the signature.
    #[error("the token's signature does not fit; it was changed or signed with another key")]
    SignatureInvalid,
    /// `exp` has passed (RFC 7519 section 4.1.4).
    #[error("the token expired {} s ago; get a new one", .ago.as_secs())]
    Expired {
        /// How long ago, not counting the leeway.
        ago: Duration,
    },
    /// `nbf` is still to come (RFC 7519 section 4.1.5).
    #[error("the token is not valid for another {} s; check the clocks of issuer and server", .wait.as_secs())]
    NotYetValid {
        /// How long until then, not counting the leeway.
        wait: Duration,
    },
    /// A claim that is required here is not in the token.
    #[error("the token has no `{claim}` claim, which is required here")]
    ClaimMissing {
        /// The claim's name.
        claim: &'static str,
    },
    /// A registered claim has the wrong type.
    #[error("the token's `{claim}` claim cannot be read; it must be {expected}")]
    ClaimInvalid {
        /// The claim's name.
        claim: &'static str,
        /// What it should have been.
        expected: &'static str,
    },
    /// `aud` names none of the audiences expected here (RFC 7519 section 4.1.3).
    #[error("the token is meant for another audience; expected here: {}", expected_list(.expected))]
    AudienceMismatch {
        /// The audiences that would have been accepted.
        expected: Vec<String>,
    },
    /// `iss` is not one of the issuers trusted here (RFC 7519 section 4.1.1).
    #[error("the token comes from another issuer; expected here: {}", expected_list(.expected))]
    IssuerMismatch {
        /// The issuers that would have been accepted.
        expected: Vec<String>,
    },
    /// The claim that names the user is absent.
    #[error("the token has no `{claim}` claim, which must name the user")]
    UserClaimMissing {
        /// The configured claim.
        claim: String,
    },
    /// The claim that names the user is neither a string nor an integer.
    #[error("the token's `{claim}` claim must name the user by a string or an integer")]
    UserClaimInvalid {
        /// The configured claim.
        claim: String,
    },
    /// The user's name breaks [`crate::check_user`].
    #[error("the token names a user that cannot be: {0}")]
    UserInvalid(NameError),
    /// The claim that lists the groups is neither an array of strings nor a string.
    #[error("the token's `{claim}` claim must be an array of strings, or one string for one group")]
    GroupsClaimInvalid {
        /// The configured claim.
        claim: String,
    },
    /// The claim that says what the client may do is not what it must be.
    #[error("the token's `{claim}` claim cannot be read: {problem}")]
    PermissionsClaimInvalid {
        /// The configured claim.
        claim: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A group's name breaks [`crate::check_group`].
    #[error("the token names a group that cannot be: {0}")]
    GroupInvalid(NameError),
    /// More groups than one token may carry.
    #[error("the token names {count} groups; at most {groups_max} are allowed")]
    TooManyGroups {
        /// How many it names.
        count: usize,
        /// How many are allowed.
        groups_max: usize,
    },
}

impl AuthError {
    /// The cause as a stable code, for metrics and for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "token_malformed",
            Self::AlgorithmNotAllowed { .. } => "algorithm_not_allowed",
            Self::CriticalHeader => "critical_header",
            Self::KeyUnknown => "key_unknown",
            Self::SignatureInvalid => "signature_invalid",
            Self::Expired { .. } => "token_expired",
            Self::NotYetValid { .. } => "token_not_yet_valid",
            Self::ClaimMissing { .. } => "claim_missing",
            Self::ClaimInvalid { .. } => "claim_invalid",
            Self::AudienceMismatch { .. } => "audience_mismatch",
            Self::IssuerMismatch { .. } => "issuer_mismatch",
            Self::UserClaimMissing { .. } => "user_claim_missing",
            Self::UserClaimInvalid { .. } => "user_claim_invalid",
            Self::UserInvalid(_) => "user_invalid",
            Self::GroupsClaimInvalid { .. } => "groups_claim_invalid",
            Self::PermissionsClaimInvalid { .. } => "permissions_claim_invalid",
            Self::GroupInvalid(_) => "group_invalid",
            Self::TooManyGroups { .. } => "groups_too_many",
        }
    }
}

fn join(algorithms: &[Algorithm]) -> String {
    let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    names.join(", ")
}

fn expected_list(names: &[String]) -> String {
    match names {
        [] => "none (no audience is configured)".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}
