//! Finding the token in a handshake.
//!
//! A [`TokenExtractor`] looks through its [`TokenSource`]s in the order in which they were configured. The
//! first one that is present decides: if what it holds is blank, that is an error, and no later source is
//! asked, so that a client with a broken token is told so instead of becoming somebody else. Within one
//! source the first occurrence counts.
//!
//! A subprotocol entry that carries a token must never be echoed to the client as the chosen subprotocol
//! (that would put the token into a response header), so [`Presented::subprotocols`] leaves such entries out. And
//! browsers drop a socket whose answer selects none of the subprotocols offered, so such an entry may not be alone.

mod error;
mod places;
mod text;

use std::fmt;

use http::{HeaderMap, Uri};

pub use error::{TokenError, TokenSourceError};

use crate::Token;
use places::Found;

/// How long a token may be if nothing else is configured, in bytes after decoding.
pub const TOKEN_BYTES_MAX_DEFAULT: usize = 8192;

/// A place in the handshake where a token may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// A parameter of the URI's query, decoded as `application/x-www-form-urlencoded` (URL standard, section
    /// 5.1): `+` is a space, as `URLSearchParams` writes it, so a literal plus must be sent as `%2B`.
    Query {
        /// The parameter's name, by convention `token`.
        name: String,
    },
    /// The header `Authorization: Bearer <token>` (RFC 6750 section 2.1), taken as it stands.
    Bearer,
    /// An entry of `Sec-WebSocket-Protocol` (RFC 6455 section 11.3.4): the prefix, then the percent-encoded
    /// token; `+` is a plus. A browser sends it with
    /// `new WebSocket(url, ["ringway.v1.json", "token." + encodeURIComponent(token)])`; the parentheses that
    /// `encodeURIComponent` leaves alone must be written `%28` and `%29`, because an entry is an HTTP token.
    Subprotocol {
        /// What marks the entry, by convention `token.`.
        prefix: String,
    },
    /// A cookie (RFC 6265 section 4.2), percent-decoded; `+` is a plus. Browsers send cookies from any page,
    /// so a deployment that uses this needs an [`crate::OriginPolicy`] with a list.
    Cookie {
        /// The cookie's name, by convention `token`.
        name: String,
    },
}

impl TokenSource {
    /// The query parameter `token`, the `Authorization` header, the subprotocol prefix `token.`, in this
    /// order. A cookie is left out: it is only safe together with an origin list, so it has to be asked for.
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::Query { name: "token".to_owned() },
            Self::Bearer,
            Self::Subprotocol { prefix: "token.".to_owned() },
        ]
    }

    fn find(&self, uri: &Uri, headers: &HeaderMap) -> Option<Found> {
        match self {
            Self::Query { name } => places::query(uri, name),
            Self::Bearer => places::bearer(headers),
            Self::Subprotocol { prefix } => places::subprotocol(headers, prefix),
            Self::Cookie { name } => places::cookie(headers, name),
        }
    }

    fn check(&self) -> Result<(), TokenSourceError> {
        match self {
            Self::Query { name } if name.is_empty() => Err(TokenSourceError::QueryName),
            Self::Subprotocol { prefix } if !text::is_http_token(prefix.as_bytes()) => {
                Err(TokenSourceError::SubprotocolPrefix { prefix: prefix.clone() })
            }
            Self::Cookie { name } if !text::is_http_token(name.as_bytes()) => {
                Err(TokenSourceError::CookieName { name: name.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query { name } => write!(f, "query parameter `{name}`"),
            Self::Bearer => write!(f, "header `Authorization: Bearer`"),
            Self::Subprotocol { prefix } => write!(f, "`Sec-WebSocket-Protocol` entry `{prefix}…`"),
            Self::Cookie { name } => write!(f, "cookie `{name}`"),
        }
    }
}

/// What a handshake presents: its token, and the subprotocols it offers besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The token, decoded.
    pub token: Token,
    /// The offered subprotocols in the client's order, without entries that carry a token.
    pub subprotocols: Vec<String>,
}

/// Finds the token of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenExtractor {
    sources: Vec<TokenSource>,
    token_bytes_max: usize,
}

impl Default for TokenExtractor {
    fn default() -> Self {
        Self { sources: TokenSource::defaults(), token_bytes_max: TOKEN_BYTES_MAX_DEFAULT }
    }
}

impl TokenExtractor {
    /// Looks through `sources` in this order, and takes tokens of up to `token_bytes_max` bytes (decoded).
    ///
    /// # Errors
    /// [`TokenSourceError`] if there is no source, if one's name could never match or would match
    /// everything, or if the limit is 0.
    pub fn new(sources: Vec<TokenSource>, token_bytes_max: usize) -> Result<Self, TokenSourceError> {
        if sources.is_empty() {
            return Err(TokenSourceError::NoSource);
        }
        if token_bytes_max == 0 {
            return Err(TokenSourceError::NoLength);
        }
        sources.iter().try_for_each(TokenSource::check)?;
        Ok(Self { sources, token_bytes_max })
    }

    /// The places that are looked through, in order.
    pub fn sources(&self) -> &[TokenSource] {
        &self.sources
    }

    /// Finds and decodes the token of the handshake with this request URI and these headers.
    ///
    /// # Errors
    /// [`TokenError`] if no source is present, if the first one present holds a blank, overlong or
    /// unreadable value, or if tokens are all that is offered as subprotocols.
    pub fn extract(&self, uri: &Uri, headers: &HeaderMap) -> Result<Presented, TokenError> {
        let (source, found) = self
            .sources
            .iter()
            .find_map(|source| Some((source, source.find(uri, headers)?)))
            .ok_or_else(|| TokenError::Missing { looked_in: self.sources.clone() })?;
        let token = self.accept(found, source)?;
        let subprotocols = self.subprotocols(headers);
        if subprotocols.is_empty()
            && let Some(prefix) = self.prefix_offered(headers)
        {
            return Err(TokenError::AloneAsSubprotocol { prefix: prefix.to_owned() });
        }
        Ok(Presented { token, subprotocols })
    }

    /// The subprotocols that `headers` offer in the client's order, without entries that carry a token (those
    /// are left out even if the token was found elsewhere) and without entries that are no HTTP token.
    pub fn subprotocols(&self, headers: &HeaderMap) -> Vec<String> {
        places::subprotocols(headers).filter(|entry| !self.carries_token(entry)).collect()
    }

    fn carries_token(&self, entry: &str) -> bool {
        self.prefixes().any(|prefix| entry.starts_with(prefix))
    }

    /// What marks an entry that carries a token, if one is offered.
    fn prefix_offered(&self, headers: &HeaderMap) -> Option<&str> {
        self.prefixes().find(|prefix| places::subprotocol(headers, prefix).is_some())
    }

    fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter_map(|source| match source {
            TokenSource::Subprotocol { prefix } => Some(prefix.as_str()),
            _ => None,
        })
    }

    fn accept(&self, found: Found, source: &TokenSource) -> Result<Token, TokenError> {
        let found_in = || source.clone();
        let text = String::from_utf8(found.0).map_err(|_| TokenError::NotUtf8 { found_in: found_in() })?;
        if text.trim().is_empty() {
            return Err(TokenError::Blank { found_in: found_in() });
        }
        if text.len() > self.token_bytes_max {
            let bytes_max = self.token_bytes_max;
            return Err(TokenError::TooLong { found_in: found_in(), bytes: text.len(), bytes_max });
        }
        if text.contains(char::is_control) {
            return Err(TokenError::ControlCharacter { found_in: found_in() });
        }
        Ok(Token::new(text))
    }
}
