//! Why an origin may not connect, and why a list entry is no origin.

use thiserror::Error;

/// Why a handshake was refused because of its `Origin` header.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OriginError {
    /// There is none, and one is required.
    #[error("the `Origin` header is missing, and it is required here")]
    Missing,
    /// Not one serialised origin (RFC 6454 section 6.2).
    #[error("the `Origin` header is not one origin; expected `scheme://host[:port]`")]
    Malformed,
    /// Well-formed, but not on the list.
    #[error("pages of the origin `{origin}` may not connect here; it is not on the list of allowed origins")]
    NotAllowed {
        /// The origin, normalised.
        origin: String,
    },
}

impl OriginError {
    /// The cause as a stable code, for metrics and for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "origin_missing",
            Self::Malformed => "origin_malformed",
            Self::NotAllowed { .. } => "origin_not_allowed",
        }
    }
}

/// Why an entry of the list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{entry:?} is not an origin: {problem} (expected `https://app.example.com`, `https://*.example.com`, with \
     `:port` if it is not the default one, or `null`)"
)]
pub struct OriginParseError {
    /// The entry as it was written.
    pub entry: String,
    /// What is wrong with it.
    pub problem: &'static str,
}
