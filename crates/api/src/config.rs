//! What the API can be told. What happens at each bound is written here.

use std::time::Duration;

/// The settings of the API.
#[derive(Clone, Copy, Debug)]
pub struct ApiConfig {
    /// The longest body of a request, in bytes; longer ones are answered 413. Default 2 MiB and 64 KiB, so that a payload of
    /// the cluster's largest size fits as base64.
    pub body_bytes_max: usize,
    /// Requests that are being answered at the same time. Beyond it they are answered 429. Default 1,024.
    pub requests_max: usize,
    /// Connections at the same time. Beyond it new ones wait to be accepted. Default 4,096.
    pub connections_max: usize,
    /// How long a client may take for a request's head; so it is also how long a connection may be idle. Then it is closed.
    /// Default 60 s.
    pub head_timeout: Duration,
    /// How long a connection may be there before a request on it is let in, the TLS handshake and that request's head included.
    /// Then it is closed, so that whoever has no key takes no room for long. Default 10 s.
    pub stranger_timeout: Duration,
    /// How long the body of a request may take; then it is answered 408. Default 30 s.
    pub body_timeout: Duration,
    /// How long a connection lives at most, before it is closed after the answer that is under way. So one whose client takes no
    /// answers does not stay. Default 5 min.
    pub lifetime_max: Duration,
    /// At shutdown: how long requests under way may take. Then they are cut off. Default 10 s.
    pub shutdown_timeout: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            body_bytes_max: 2 * 1024 * 1024 + 64 * 1024,
            requests_max: 1_024,
            connections_max: 4_096,
            head_timeout: Duration::from_secs(60),
            stranger_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            lifetime_max: Duration::from_secs(5 * 60),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}
