//! Why no token came out of a handshake, and what is wrong with a list of sources.

use thiserror::Error;

use super::TokenSource;

/// Why a handshake has no usable token. No text repeats what was found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// None of the sources is present.
    #[error("the token is missing; expected in: {}", list(.looked_in))]
    Missing {
        /// Every place that was looked at, in order.
        looked_in: Vec<TokenSource>,
    },
    /// The source is there, but holds nothing or only white space.
    #[error("the token in the {found_in} is blank")]
    Blank {
        /// Where it stands.
        found_in: TokenSource,
    },
    /// Longer than the configured limit.
    #[error("the token in the {found_in} is {bytes} bytes long; at most {bytes_max} are allowed")]
    TooLong {
        /// Where it stands.
        found_in: TokenSource,
        /// Its length in bytes, decoded.
        bytes: usize,
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// Not UTF-8 after decoding.
    #[error("the token in the {found_in} is not UTF-8 once it is decoded; percent-encode its UTF-8 bytes")]
    NotUtf8 {
        /// Where it stands.
        found_in: TokenSource,
    },
    /// A control character after decoding.
    #[error("the token in the {found_in} has a control character; only printable text is allowed")]
    ControlCharacter {
        /// Where it stands.
        found_in: TokenSource,
    },
    /// The subprotocols offered are nothing but tokens, so none can be selected, and browsers drop a socket whose
    /// answer selects none of what they offered.
    #[error(
        "the token is the only subprotocol offered, and it is never selected, so a browser would drop the socket; \
         offer one beside it: `new WebSocket(url, [\"ringway.raw\", \"{prefix}\" + token])`"
    )]
    AloneAsSubprotocol {
        /// What marks the entry.
        prefix: String,
    },
}

impl TokenError {
    /// The cause as a stable code, for metrics and for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "token_missing",
            Self::Blank { .. } => "token_blank",
            Self::TooLong { .. } => "token_too_long",
            Self::NotUtf8 { .. } => "token_not_utf8",
            Self::ControlCharacter { .. } => "token_control_character",
            Self::AloneAsSubprotocol { .. } => "subprotocol_missing",
        }
    }
}

/// Why a [`super::TokenExtractor`] cannot be made of this configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenSourceError {
    /// The list is empty.
    #[error("no token source is configured; name at least one of query, bearer, subprotocol, cookie")]
    NoSource,
    /// The length limit is 0.
    #[error("the longest token allowed is 0 bytes; it must be at least 1")]
    NoLength,
    /// The query parameter has an empty name.
    #[error("the name of the token's query parameter is empty; the usual one is `token`")]
    QueryName,
    /// The prefix is empty or cannot stand in a subprotocol.
    #[error(
        "{prefix:?} cannot be the prefix of a subprotocol; it must be letters, digits or !#$%&'*+-.^_`|~ \
         (the usual one is `token.`)"
    )]
    SubprotocolPrefix {
        /// What was configured.
        prefix: String,
    },
    /// The name is empty or cannot be a cookie's.
    #[error("{name:?} cannot be the name of a cookie; it must be letters, digits or !#$%&'*+-.^_`|~")]
    CookieName {
        /// What was configured.
        name: String,
    },
}

fn list(sources: &[TokenSource]) -> String {
    sources.iter().map(TokenSource::to_string).collect::<Vec<_>>().join(", ")
}
