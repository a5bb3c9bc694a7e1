//! What end-to-end tests need: the real binary as processes of its own, real clients, and eyes on both.
//!
//! `cargo xtask test` builds the binary and says where everything is. Nothing in here knows how ringway works inside: it
//! starts processes, speaks WebSocket, HTTP and gRPC with them, and reads their metrics and `/proc`.
//!
//! Waiting is always for an event and has a deadline; what failed is shown with what the processes said.

pub mod address;
/// The broker of the bridge's own tests.
#[path = "../../../crates/bridge/tests/support/broker.rs"]
pub mod broker;
pub mod browser;
/// Certificates as the bridge's own tests have them.
#[path = "../../../crates/bridge/tests/support/certificates.rs"]
pub mod certificates;
pub mod client;
pub mod cluster;
pub mod crowd;
pub mod fleet;
pub mod http;
pub mod ledger;
pub mod listener;
pub mod metrics;
pub mod netns;
pub mod page;
pub mod process;
pub mod procfs;
pub mod proxy;
pub mod python;
pub mod redis;
pub mod required;
pub mod scene;
pub mod server;
pub mod strace;
pub mod traffic;

use std::time::Duration;

pub use client::{Client, Refused};
pub use cluster::{Cluster, Node, Seat};
pub use crowd::Crowd;
pub use fleet::Fleet;
pub use process::Process;
pub use traffic::Traffic;

/// How long anything may take that is not measured: far more than it needs on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Lets this process, and those that it starts, open as many files as the system allows: clients are many.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("a limit can be raised to its maximum");
}
