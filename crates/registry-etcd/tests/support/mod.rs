//! What the tests need: an etcd of their own, and a wire to it that can be cut.

mod log;
mod server;
mod wire;

pub(crate) use log::Log;
pub(crate) use server::Etcd;
pub(crate) use wire::Wire;

use std::path::PathBuf;
use std::time::Duration;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether etcd was left out by name (`cargo xtask test --without etcd`). A test never leaves itself out otherwise.
pub(crate) fn left_out() -> bool {
    std::env::var("RINGWAY_TESTS_WITHOUT").is_ok_and(|tools| tools.split(',').any(|name| name == "etcd"))
}

fn program() -> PathBuf {
    let path = std::env::var_os("RINGWAY_ETCD").filter(|path| !path.is_empty()).map(PathBuf::from);
    path.expect("RINGWAY_ETCD is not set: run `cargo xtask test`, or set it to an etcd (Debian: etcd-server)")
}

/// A free port of this machine.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
