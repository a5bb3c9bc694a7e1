//! Where a node's gRPC server is: `http://host:port`.
//!
//! A [`NodeUrl`] is normal: equal urls are equal texts, so it can be a key of maps. It never carries a path, a query
//! or user information. `https` is refused in words, since nodes do not speak TLS with each other yet.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;

/// The url of a node's gRPC server.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeUrl(Arc<str>);

/// Why a text is not the url of a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeUrlError {
    /// Not a url at all.
    #[error("{text:?} is not a url; a node's url looks like http://10.0.0.1:7070")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// The scheme is `https`.
    #[error(
        "{text:?}: TLS between nodes is not supported yet; use http://host:port inside a private network \
         (or a tunnel such as WireGuard)"
    )]
    TlsNotSupported {
        /// What was given.
        text: String,
    },
    /// The scheme is missing or is not `http`.
    #[error("{text:?} does not begin with http://; a node's url looks like http://10.0.0.1:7070")]
    Scheme {
        /// What was given.
        text: String,
    },
    /// There is no port.
    #[error("{text:?} names no port; a node's url looks like http://10.0.0.1:7070")]
    NoPort {
        /// What was given.
        text: String,
    },
    /// There is something behind the port, or user information before the host.
    #[error("{text:?} has more than scheme, host and port; a node's url looks like http://10.0.0.1:7070")]
    TooMuch {
        /// What was given.
        text: String,
    },
}

impl NodeUrl {
    /// `http://host:port`, host in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.0["http://".len()..]
    }
}

impl FromStr for NodeUrl {
    type Err = NodeUrlError;

    fn from_str(text: &str) -> Result<Self, NodeUrlError> {
        let given = || text.to_owned();
        let uri: Uri = text.parse().map_err(|_| NodeUrlError::Malformed { text: given() })?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(NodeUrlError::TlsNotSupported { text: given() }),
            _ => return Err(NodeUrlError::Scheme { text: given() }),
        }
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return Err(NodeUrlError::Malformed { text: given() });
        };
        let rest = uri.path_and_query().map_or("", |rest| rest.as_str());
        if authority.as_str().contains('@') || !matches!(rest, "" | "/") {
            return Err(NodeUrlError::TooMuch { text: given() });
        }
        let Some(port) = authority.port_u16().filter(|port| *port != 0) else {
            return Err(NodeUrlError::NoPort { text: given() });
        };
        Ok(NodeUrl(format!("http://{}:{port}", authority.host().to_ascii_lowercase()).into()))
    }
}

impl From<std::net::SocketAddr> for NodeUrl {
    fn from(address: std::net::SocketAddr) -> Self {
        NodeUrl(format!("http://{address}").into())
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_scheme_host_and_port() {
        let taken = [
            ("http://10.0.0.1:7070", "http://10.0.0.1:7070"),
            ("http://10.0.0.1:7070/", "http://10.0.0.1:7070"),
            ("http://Worker-1.example:1", "http://worker-1.example:1"),
            ("http://[::1]:7070", "http://[::1]:7070"),
        ];
        for (text, normal) in taken {
            let url: NodeUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), normal);
            assert_eq!(normal.parse::<NodeUrl>().unwrap(), url);
        }
        assert_eq!("http://[::1]:7070".parse::<NodeUrl>().unwrap().authority(), "[::1]:7070");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = [
            ("", "is not a url"),
            ("http://", "is not a url"),
            ("10.0.0.1:7070", "does not begin with http://"),
            ("localhost", "does not begin with http://"),
            ("ftp://host:1", "does not begin with http://"),
            ("https://host:1", "TLS between nodes is not supported yet"),
            ("http://host", "names no port"),
            ("http://host:0", "names no port"),
            ("http://host:1/path", "more than scheme, host and port"),
            ("http://host:1?x=1", "more than scheme, host and port"),
            ("http://me:secret@host:1", "more than scheme, host and port"),
        ];
        for (text, expected) in refused {
            let error = text.parse::<NodeUrl>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
