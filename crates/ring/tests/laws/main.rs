//! The laws of placement, for member sets that nobody thought of.
//!
//! Seeds are fixed, so that a failure is a failure for everybody; `PROPTEST_CASES` searches longer.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod definition;
mod loads;
mod movement;
mod purity;
mod sets;
mod snapshots;
