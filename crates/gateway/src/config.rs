//! What a gateway can be told. Plain, typed values: where they come from (a file, flags, the environment) is the
//! binary's business, and a value that cannot be is refused by [`GatewayConfig::check`] before anything starts.
//!
//! Every queue, wait and crowd in this crate is bounded by a field of this file, and what happens at the bound is written
//! there.

use std::path::PathBuf;
use std::time::Duration;

use ringway_ring::MemberId;
use ringway_session::Permissions;

use tokio_rustls::TlsAcceptor;

use crate::GatewayError;
use crate::http::{Certificates, TlsError, watch_files};

/// The settings of one gateway.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The gateway's stable name, as workers and operators see it.
    pub gateway_id: String,
    /// Which users are served.
    pub routing: Routing,
    /// The listeners' HTTP.
    pub http: HttpConfig,
    /// The clients' WebSockets.
    pub socket: SocketConfig,
    /// What every client may do whose token says nothing else. Default nothing.
    pub permissions: Permissions,
    /// The links to the workers.
    pub link: LinkConfig,
    /// The sessions' ways from one worker to another.
    pub moving: MovingConfig,
    /// The end.
    pub shutdown: ShutdownConfig,
}

/// Which users a gateway serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routing {
    /// All of them: each session is opened at its user's owner.
    Everywhere,
    /// Those whose owner is this member, in whose process the gateway runs. Others are told their owner's address (421).
    OnlyHere(MemberId),
}

/// The settings of the listeners' HTTP.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// The paths at which clients open their sockets.
    pub paths: PathRules,
    /// Client sockets at the same time. Beyond it a handshake is answered 503. Default 1,000,000: in practice the
    /// process's limit of open files comes first.
    pub connections_max: usize,
    /// Handshakes that are being answered at the same time. Beyond it they are answered 429. Default 16,384.
    pub handshakes_max: usize,
    /// Connections that are no client sockets (yet) at the same time. Beyond it new ones are closed unread. Default 32,768.
    pub pending_max: usize,
    /// The longest request line and headers together, in bytes; longer ones are answered 431. 8,192 at least. Default
    /// 16,384.
    pub head_bytes_max: usize,
    /// Subprotocols that a handshake may offer; entries that carry a token do not count. Beyond it it is answered 400.
    /// Default 16.
    pub subprotocols_max: usize,
    /// How many bytes they may have together. Beyond it the handshake is answered 400. Default 1,024.
    pub subprotocols_bytes_max: usize,
    /// How long a client may take for its TLS handshake, and again for each request's head. Default 10 s.
    pub handshake_timeout: Duration,
    /// How long a worker may take to open a session, retries included; then the handshake is answered 503. Default 5 s.
    pub open_deadline: Duration,
    /// How long a connection that is no client socket lives at most. Default 75 s.
    pub lifetime_max: Duration,
    /// How often certificate and key files are looked at for changes. Default 5 s.
    pub tls_poll_interval: Duration,
}

/// At which paths clients open their sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRules {
    /// Paths that end so. Default `/webSocket` and `/ws`.
    pub suffixes: Vec<String>,
    /// Paths that are exactly so. Default none.
    pub exact: Vec<String>,
}

/// The settings of the clients' WebSockets.
#[derive(Clone, Debug)]
pub struct SocketConfig {
    /// The longest message of a client, in bytes of payload. A longer one closes the socket with 1009. Default 1 MiB.
    pub message_bytes_max: usize,
    /// After how much silence of the client it is sent a ping. Default 25 s.
    pub ping_interval: Duration,
    /// After how much silence it is closed (1001). Default 60 s.
    pub idle_timeout: Duration,
    /// How long a message of the client may take from its first byte to its last; then the socket is closed with 1008. The
    /// time in which the gateway does not read it does not count. Default 30 s.
    pub message_timeout: Duration,
    /// How long the end of a connection may take: the messages still queued, the close frame, and the client's. Default 5 s.
    pub close_timeout: Duration,
    /// How long the client may take no byte while some wait for it; then the connection is dropped. Default 30 s.
    pub write_timeout: Duration,
    /// Whether a session ends (4300) when the token that opened it expires. Default true.
    pub close_on_expiry: bool,
}

/// The settings of the links to the workers.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Links to each worker. Default 1.
    pub links_per_worker: usize,
    /// Bytes that wait for one link, each frame counted with 64 bytes more. Beyond it the link's clients are not read
    /// until there is room; nothing is dropped. Default 16 MiB.
    pub queue_bytes_max: usize,
    /// How many bytes of frames travel as one message, about. Default 256 KiB.
    pub batch_bytes: usize,
    /// How long a worker may take to answer a new link. Default 5 s.
    pub connect_timeout: Duration,
    /// The first wait before a broken link is made again; it doubles with each failure, and each wait is drawn at random
    /// between nothing and it. Default 100 ms.
    pub backoff_min: Duration,
    /// The longest such wait. Default 1 s: sessions without a worker wait for it.
    pub backoff_max: Duration,
}

/// The settings of the sessions' ways from one worker to another. Their clients do not notice, unless they end.
#[derive(Clone, Debug)]
pub struct MovingConfig {
    /// Questions for a place that are under way at the same time. Beyond it sessions wait for their turn. Default 256.
    pub opens_max: usize,
    /// For how long a question counts for that. It is waited for longer, but a worker that does not answer holds up nobody
    /// else's sessions for ever. Default 1 s.
    pub open_patience: Duration,
    /// How long a session may be on its way: until its worker has let it go, and another has a place for it. While a link lives
    /// its worker's answer is waited for as long as that. Then the client is closed (1012). Default 30 s.
    pub reopen_deadline: Duration,
    /// How long a worker that has left the view may say nothing at all while its sessions are to leave; then they are opened
    /// elsewhere by their last checkpoints. Default 2 s.
    pub detach_timeout: Duration,
    /// How long a worker that has left the view may take to move its sessions itself; then the gateway takes them away.
    /// Default 1 s.
    pub retire_wait: Duration,
    /// How much of a client is kept while its session has no worker, in bytes, each message counted with 64 bytes more.
    /// Beyond it the client is not read; nothing is dropped. Default 256 KiB.
    pub kept_bytes_max: usize,
    /// The largest state of a session. A worker that sends a larger one is not waited for any longer: the session is opened
    /// elsewhere by its last checkpoint. Default 64 MiB.
    pub state_bytes_max: usize,
}

/// The settings of a gateway's end.
#[derive(Clone, Debug)]
pub struct ShutdownConfig {
    /// How long `/readyz` says no before the listeners close, so that a load balancer can notice. Default 0 s.
    pub unready_for: Duration,
    /// Over how much time the clients are told to go (1001), each at a random moment of it. Default 5 s.
    pub drain_window: Duration,
    /// How long sessions that are between two workers when their clients have gone may take to reach the next one. Then they are
    /// lost. Default 5 s.
    pub moves_timeout: Duration,
    /// How long the last frames may take to reach the workers. Default 2 s.
    pub flush_timeout: Duration,
}

/// The certificate and key of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, PEM, the listener's own first.
    pub certificates: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Whether a listener can be served with them, for those who want to know before anything starts.
    ///
    /// # Errors
    /// What is wrong with the certificates or the key.
    pub fn check(&self) -> Result<(), TlsError> {
        Certificates::load(self.clone()).map(drop)
    }

    /// An acceptor for a listener that is not the gateway's own, and what takes over a replaced certificate for as long as it
    /// runs, looking at the files so often.
    ///
    /// # Errors
    /// What is wrong with the certificates or the key.
    pub fn acceptor(
        self,
        poll_interval: Duration,
    ) -> Result<(TlsAcceptor, impl Future<Output = ()> + Send + 'static), TlsError> {
        let certificates = Certificates::load(self)?;
        Ok((certificates.acceptor()?, watch_files(certificates, poll_interval)))
    }
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            gateway_id: "gateway".to_owned(),
            routing: Routing::Everywhere,
            http: HttpConfig::default(),
            socket: SocketConfig::default(),
            permissions: Permissions::default(),
            link: LinkConfig::default(),
            moving: MovingConfig::default(),
            shutdown: ShutdownConfig::default(),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            paths: PathRules::default(),
            connections_max: 1_000_000,
            handshakes_max: 16_384,
            pending_max: 32_768,
            head_bytes_max: 16 * 1024,
            subprotocols_max: 16,
            subprotocols_bytes_max: 1024,
            handshake_timeout: Duration::from_secs(10),
            open_deadline: Duration::from_secs(5),
            lifetime_max: Duration::from_secs(75),
            tls_poll_interval: Duration::from_secs(5),
        }
    }
}

impl Default for PathRules {
    fn default() -> Self {
        Self { suffixes: vec!["/webSocket".to_owned(), "/ws".to_owned()], exact: Vec::new() }
    }
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            message_bytes_max: 1024 * 1024,
            ping_interval: Duration::from_secs(25),
            idle_timeout: Duration::from_secs(60),
            message_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            close_on_expiry: true,
        }
    }
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            links_per_worker: 1,
            queue_bytes_max: 16 * 1024 * 1024,
            batch_bytes: 256 * 1024,
            connect_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(1),
        }
    }
}

impl Default for MovingConfig {
    fn default() -> Self {
        Self {
            opens_max: 256,
            open_patience: Duration::from_secs(1),
            reopen_deadline: Duration::from_secs(30),
            detach_timeout: Duration::from_secs(2),
            retire_wait: Duration::from_secs(1),
            kept_bytes_max: 256 * 1024,
            state_bytes_max: 64 * 1024 * 1024,
        }
    }
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self {
            unready_for: Duration::ZERO,
            drain_window: Duration::from_secs(5),
            moves_timeout: Duration::from_secs(5),
            flush_timeout: Duration::from_secs(2),
        }
    }
}

impl PathRules {
    /// Whether clients open their sockets at this path.
    pub fn matches(&self, path: &str) -> bool {
        self.suffixes.iter().any(|suffix| path.ends_with(suffix.as_str()))
            || self.exact.iter().any(|exact| path == exact)
    }
}

impl GatewayConfig {
    /// Refuses values with which a gateway cannot work.
    ///
    /// # Errors
    /// [`GatewayError::Config`] names every field that cannot be, and what it should have been.
    pub fn check(&self) -> Result<(), GatewayError> {
        let rules = [
            (self.gateway_id.is_empty(), "gateway_id must not be empty"),
            (self.http.head_bytes_max < 8192, "http.head_bytes_max must be at least 8192"),
            (self.http.connections_max == 0, "http.connections_max must be at least 1"),
            (self.http.handshakes_max == 0, "http.handshakes_max must be at least 1"),
            (self.http.pending_max == 0, "http.pending_max must be at least 1"),
            (self.http.tls_poll_interval.is_zero(), "http.tls_poll_interval must be more than 0"),
            (self.socket.message_bytes_max == 0, "socket.message_bytes_max must be at least 1"),
            (self.socket.ping_interval.is_zero(), "socket.ping_interval must be more than 0"),
            (
                self.socket.idle_timeout <= self.socket.ping_interval,
                "socket.idle_timeout must be longer than socket.ping_interval",
            ),
            (self.socket.message_timeout.is_zero(), "socket.message_timeout must be more than 0"),
            (self.link.links_per_worker == 0, "link.links_per_worker must be at least 1"),
            (self.link.queue_bytes_max == 0, "link.queue_bytes_max must be at least 1"),
            (self.link.batch_bytes == 0, "link.batch_bytes must be at least 1"),
            (self.moving.opens_max == 0, "moving.opens_max must be at least 1"),
            (self.moving.kept_bytes_max == 0, "moving.kept_bytes_max must be at least 1"),
            (self.link.backoff_min.is_zero(), "link.backoff_min must be more than 0"),
            (
                self.link.backoff_max < self.link.backoff_min,
                "link.backoff_max must not be less than link.backoff_min",
            ),
        ];
        let broken: Vec<&str> =
            rules.into_iter().filter_map(|(broken, rule)| broken.then_some(rule)).collect();
        if broken.is_empty() { Ok(()) } else { Err(GatewayError::Config(broken.join("; "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be() {
        GatewayConfig::default().check().expect("the defaults are sound");
    }

    #[test]
    fn all_mistakes_are_told_together() {
        let mut config = GatewayConfig::default();
        config.gateway_id.clear();
        config.link.links_per_worker = 0;
        let told = config.check().expect_err("two fields cannot be").to_string();
        assert!(told.contains("gateway_id") && told.contains("link.links_per_worker"), "{told}");
    }

    #[test]
    fn paths() {
        let rules = PathRules { suffixes: vec!["/ws".into()], exact: vec!["/live".into()] };
        for (path, matches) in [
            ("/ws", true),
            ("/app/ws", true),
            ("/ws/", false),
            ("/aws", false),
            ("/live", true),
            ("/a/live", false),
        ] {
            assert_eq!(rules.matches(path), matches, "{path}");
        }
    }
}
