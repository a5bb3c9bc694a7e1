//! Events out, by HTTP: CloudEvents in batches, signed (docs/events.md).
//!
//! `sign` and `verdict` are pure; `http` is the connection.

mod http;
mod sign;
mod sink;
mod verdict;

pub(crate) use self::http::check_url;
pub use sign::{SIGNATURE_HEADER, signature};
pub(crate) use sink::Webhook;
