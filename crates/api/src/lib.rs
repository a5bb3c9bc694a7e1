//! The HTTP API: a door for back ends that have nothing but curl. Any node can serve it, on a listener of its own.
//!
//! A request is a sender's call in another dress: [`Api`] reads it, hands it to a [`Sender`](ringway_sender::Sender) within the
//! node (which finds the owner, and repeats what surely was not carried out), and writes the receipt as JSON. So it promises
//! what a sender promises, and decides nothing of its own.
//!
//! What a reader must not break: nobody without a key is heard by a worker (`access`); a key is never shown, in no log, no
//! error and no metric; every refusal says what was wrong and what would be right, with the reasons of `docs/status-codes.md`;
//! and whatever is answered is as the document says (`openapi.json`, beside this crate's sources, served at
//! `/v1/openapi.json`), which `tests/api` holds.

mod access;
mod api;
mod config;
mod document;
mod keys;
mod message;
mod metrics;
mod peer;
mod query;
mod receipt;
mod refusal;
mod request;
mod route;
mod server;
mod user;

pub use access::Access;
pub use api::Api;
pub use config::ApiConfig;
pub use keys::{Keys, KeysError, KeysHandle};
pub use receipt::receipt_json;
pub use server::serve;

/// What requests are answered with.
type Body = http_body_util::Full<bytes::Bytes>;
