//! The rules of the house, as functions from the workspace's manifests to complaints.
//!
//! Which crate may use which is an architectural decision, so it stands here once, as data ([`ORDER`], [`STRANGERS`],
//! [`PURE`], [`CODE_GENERATORS`]), and every change of it is a change of this crate. The rules are pure: the test in
//! `tests/house.rs` feeds them the real manifests, the tests beside them feed them broken ones.

mod lock;
mod manifest;
mod rules;
mod workspace;

pub use lock::Lock;
pub use manifest::Manifest;
pub use rules::{CODE_GENERATORS, NETWORK, ORDER, PURE, STRANGERS, complaints};
pub use workspace::{Home, Package, Workspace};
