//! What the tests need: a Nacos of their own, which is r-nacos, and a wire to it that can be cut.

#[path = "../../../registry-etcd/tests/support/log.rs"]
mod log;
mod server;
#[path = "../../../registry-etcd/tests/support/wire.rs"]
mod wire;

pub(crate) use log::Log;
pub(crate) use server::Nacos;
pub(crate) use wire::Wire;

use std::path::PathBuf;
use std::time::Duration;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Whether Nacos was left out by name (`cargo xtask test --without nacos`). A test never leaves itself out otherwise.
pub(crate) fn left_out() -> bool {
    std::env::var("RINGWAY_TESTS_WITHOUT").is_ok_and(|tools| tools.split(',').any(|name| name == "nacos"))
}

fn program() -> PathBuf {
    let path = std::env::var_os("RINGWAY_RNACOS").filter(|path| !path.is_empty()).map(PathBuf::from);
    path.expect("RINGWAY_RNACOS is not set: run `cargo xtask test`, or set it to an rnacos 0.8.8")
}

/// A free port of this machine.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
