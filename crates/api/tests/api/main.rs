//! The API over real sockets: before real workers, and before fake ones that refuse as a test says. Whatever is answered in any
//! of these tests is held against the document.

#![allow(clippy::unwrap_used)]

mod caller;
mod contract;
mod document;
#[allow(dead_code, reason = "the dispatcher's tests use more of it")]
#[path = "../../../dispatch/tests/dispatch/fake.rs"]
mod fake;
#[path = "../../../worker/tests/house/mod.rs"]
mod house;
mod keys;
mod life;
mod refusals;
mod sends;
mod site;
mod strangers;
mod users;
