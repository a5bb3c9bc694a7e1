//! Membership in etcd.
//!
//! A member is the key `<prefix>/members/<id>`, held by an etcd lease that its process renews. Whoever watches lists the
//! prefix at a revision and then reads every change after that revision, so nothing is missed in between.
//!
//! - etcd away: the last list stays, and so do the members in etcd, which renews their leases when it starts again. A
//!   lease that ran out meanwhile is granted anew and the member put again.
//! - An id joined again: the key then hangs on the later one's lease. Everything that the former one does is a
//!   transaction on the key hanging on its own lease, so it can do nothing.
//! - What is not ours under the prefix is passed over with a warning.
//!
//! The client is our own: the dozen messages of etcd's v3 API that membership needs (module `wire`). The public client crates
//! compile etcd's `.proto` files when they are built, which needs `protoc` on every machine that builds ringway.

mod client;
mod config;
mod connector;
mod document;
mod error;
mod keys;
mod place;
mod registry;
mod watch;
mod wire;

pub use config::{Credentials, EtcdConfig, EtcdTls, LEASE_TTL_DEFAULT, PREFIX_DEFAULT};
pub use registry::EtcdRegistry;
