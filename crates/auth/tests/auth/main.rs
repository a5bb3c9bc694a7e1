//! What the crate promises, seen from outside.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report, also in its helpers")]

mod claims;
mod extract;
mod keys;
mod laws;
mod signatures;
mod signer;
mod support;
