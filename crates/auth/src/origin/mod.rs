//! Which web pages may open a socket.
//!
//! A browser sends cookies and cached credentials along with a WebSocket handshake from any page, and the
//! same-origin policy does not stop it; the `Origin` header is how the server does (RFC 6455 section 10.2).
//! An origin is a triple of scheme, host and port (RFC 6454 section 4), so entries are compared as triples
//! and never as text: hosts in lower case, a scheme's default port written out or not.
//!
//! This protects users of browsers against other people's pages. It does not authenticate anybody: a
//! program that is no browser sends whatever `Origin` it likes, or none.

mod error;
mod parse;

use http::HeaderValue;

pub use error::{OriginError, OriginParseError};

use parse::Origin;

/// The configuration of an [`OriginPolicy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginConfig {
    /// The origins that may connect.
    pub allowed: AllowedOrigins,
    /// Whether a handshake without an `Origin` header, which no browser sends, is let in.
    pub allow_missing: bool,
}

impl Default for OriginConfig {
    /// Any origin, or none.
    fn default() -> Self {
        Self { allowed: AllowedOrigins::Any, allow_missing: true }
    }
}

/// The origins that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// All of them, unread; the opaque origin `null` too.
    Any,
    /// Those on this list. An entry is an exact origin (`https://app.example.com`,
    /// `http://localhost:3000`), all subdomains of a host at any depth but not the host itself
    /// (`https://*.example.com`), or `null`, the opaque origin of sandboxed frames and local files.
    List(Vec<String>),
}

/// Judges the `Origin` header of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPolicy {
    entries: Option<Vec<Entry>>,
    allow_missing: bool,
}

impl OriginPolicy {
    /// Reads the configured list.
    ///
    /// # Errors
    /// [`OriginParseError`] for the first entry that is no origin, with what is wrong with it. An empty list
    /// is not an error: it lets no page in.
    pub fn new(config: &OriginConfig) -> Result<Self, OriginParseError> {
        let entries = match &config.allowed {
            AllowedOrigins::Any => None,
            AllowedOrigins::List(list) => {
                Some(list.iter().map(|entry| Entry::parse(entry)).collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { entries, allow_missing: config.allow_missing })
    }

    /// Whether a handshake with this `Origin` header may go on.
    ///
    /// # Errors
    /// [`OriginError`] if the header is missing and must not be, is no single origin, or is not on the list.
    pub fn allows(&self, origin: Option<&HeaderValue>) -> Result<(), OriginError> {
        let Some(header) = origin else {
            return if self.allow_missing { Ok(()) } else { Err(OriginError::Missing) };
        };
        let Some(entries) = &self.entries else { return Ok(()) };
        let origin = header.to_str().ok().and_then(|text| Origin::parse(text).ok());
        let origin = origin.ok_or(OriginError::Malformed)?;
        if entries.iter().any(|entry| entry.covers(&origin)) {
            return Ok(());
        }
        Err(OriginError::NotAllowed { origin: origin.to_string() })
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Exactly(Origin),
    /// Subdomains of the host of this origin.
    Below(Origin),
}

impl Entry {
    fn parse(text: &str) -> Result<Self, OriginParseError> {
        let explain = |problem| OriginParseError { entry: text.to_owned(), problem };
        let Some((scheme, rest)) = text.split_once("://*.") else {
            return Origin::parse(text).map(Self::Exactly).map_err(explain);
        };
        let parent = Origin::parse(&format!("{scheme}://{rest}")).map_err(explain)?;
        if parent.is_address() {
            return Err(explain("an IP address has no subdomains"));
        }
        Ok(Self::Below(parent))
    }

    fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::Exactly(listed) => listed == origin,
            Self::Below(parent) => origin.is_below(parent),
        }
    }
}

#[cfg(test)]
mod tests;
