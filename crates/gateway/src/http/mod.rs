//! The listeners' HTTP: connections come in, requests are answered, and some connections become client sockets.
//!
//! [`listener`] accepts, [`tls`] decrypts, [`connection`] speaks HTTP/1.1 (hyper) until a request is answered 101 and then
//! hands the bare stream to a client's task, [`front`] answers requests.

mod connection;
mod front;
mod listener;
mod pages;
mod tls;

pub use front::OPERATOR_PATHS;
pub(crate) use front::{Front, FrontParts, Stage, going_away, random_delay_ms};
pub use listener::Listener;
pub(crate) use listener::accept;
pub use pages::Pages;
pub use tls::TlsError;
pub(crate) use tls::{Certificates, watch_files};

/// What requests are answered with.
pub(crate) type Body = http_body_util::Full<bytes::Bytes>;
