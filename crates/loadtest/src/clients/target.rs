//! Where clients connect: a URL such as `ws://127.0.0.1:8080/ws`, checked and resolved once for all of them.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What need not be escaped in a query's value (RFC 3986 section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The server's address, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to connect.
    pub address: SocketAddr,
    /// The header `Host`.
    pub(crate) host: String,
    path: String,
}

/// Why clients cannot connect there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No such URL.
    #[error("{0:?} is no URL such as ws://127.0.0.1:8080/ws")]
    Malformed(String),
    /// The scheme `wss`.
    #[error("{0:?}: the load test speaks no TLS; measure what is behind it, by ws://")]
    Encrypted(String),
    /// The host has no address.
    #[error("{0:?}: there is no such host")]
    Unknown(String),
}

impl Target {
    /// Path and query of a client's handshake.
    pub(crate) fn path(&self, parameters: &[(&str, &str)]) -> String {
        let mut path = self.path.clone();
        for (name, value) in parameters {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.extend([name, "="]);
            path.extend(utf8_percent_encode(value, ESCAPED));
        }
        path
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let malformed = || TargetError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        match uri.scheme_str() {
            Some("ws") => {}
            Some("wss") => return Err(TargetError::Encrypted(text.to_owned())),
            _ => return Err(malformed()),
        }
        let authority = uri.authority().ok_or_else(malformed)?;
        let name = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(80);
        let unknown = || TargetError::Unknown(text.to_owned());
        let address =
            (name, port).to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(unknown)?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { address, host: authority.as_str().to_owned(), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let check = |url: &str, address: &str, path: &str| {
            let target: Target = url.parse().unwrap();
            assert_eq!(target.address, address.parse().unwrap(), "{url}");
            assert_eq!(target.path(&[("token", "a b")]), path, "{url}");
        };
        check("ws://127.0.0.1:8080/ws", "127.0.0.1:8080", "/ws?token=a%20b");
        check("ws://127.0.0.1/ws?x=1", "127.0.0.1:80", "/ws?x=1&token=a%20b");
        check("ws://[::1]:81", "[::1]:81", "/?token=a%20b");
    }

    #[test]
    fn other_urls_are_refused() {
        let refused = |url: &str| url.parse::<Target>().unwrap_err().to_string();
        assert!(refused("http://127.0.0.1/").contains("no URL such as"));
        assert!(refused("127.0.0.1:8080").contains("no URL such as"));
        assert!(refused("wss://127.0.0.1/").contains("no TLS"));
        assert!(refused("ws://nowhere.invalid/").contains("no such host"));
    }
}
