//! What the tests need: a Redis of their own, and a wire to it that can be cut.

#![allow(dead_code, unused_imports, reason = "not every test needs all of it")]

mod server;
mod wire;

pub(crate) use server::Redis;
pub(crate) use wire::Wire;

use std::path::PathBuf;
use std::time::Duration;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether Redis was left out by name (`cargo xtask test --without redis`). A test never leaves itself out otherwise.
pub(crate) fn left_out() -> bool {
    std::env::var("RINGWAY_TESTS_WITHOUT").is_ok_and(|tools| tools.split(',').any(|name| name == "redis"))
}

fn program() -> PathBuf {
    let path = std::env::var_os("RINGWAY_REDIS").filter(|path| !path.is_empty()).map(PathBuf::from);
    path.expect("RINGWAY_REDIS is not set: run `cargo xtask test`, or set it to a redis-server (Debian: redis-server)")
}
