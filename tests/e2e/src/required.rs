//! What `cargo xtask test` provides, by environment variables.
//!
//! A test never leaves itself out because something is missing: it fails and says what to do. Only when a tool was left
//! out by name (`cargo xtask test --without browser`) do its tests pass without having run, and xtask says so at the end.

use std::path::PathBuf;

/// The ringway binary.
pub fn binary() -> PathBuf {
    provided("RINGWAY_BIN", "the ringway binary (cargo build --release -p ringway)")
}

/// A Python with the packages of `tests/e2e/requirements.txt`, unless it was left out.
pub fn python() -> Option<PathBuf> {
    (!left_out("python")).then(|| provided("RINGWAY_PYTHON", "a Python with tests/e2e/requirements.txt"))
}

/// A browser that speaks the DevTools protocol, unless it was left out.
pub fn chromium() -> Option<PathBuf> {
    (!left_out("browser")).then(|| provided("RINGWAY_CHROMIUM", "Chromium or Chrome"))
}

/// An etcd server, unless it was left out.
pub fn etcd() -> Option<PathBuf> {
    (!left_out("etcd")).then(|| provided("RINGWAY_ETCD", "an etcd (Debian: etcd-server)"))
}

/// A server that speaks Nacos's protocol, unless it was left out.
pub fn rnacos() -> Option<PathBuf> {
    (!left_out("nacos")).then(|| provided("RINGWAY_RNACOS", "an rnacos 0.8.8"))
}

/// A Redis server, unless it was left out.
pub fn redis() -> Option<PathBuf> {
    (!left_out("redis")).then(|| provided("RINGWAY_REDIS", "a redis-server (Debian: redis-server)"))
}

/// The program `ip`, and the right to make network namespaces with it, unless they were left out.
pub fn ip() -> Option<PathBuf> {
    (!left_out("netns")).then(|| provided("RINGWAY_IP", "the program `ip` (Debian: iproute2), and be root"))
}

/// The program `strace`, and the right to attach it to other processes, unless they were left out.
pub fn strace() -> Option<PathBuf> {
    (!left_out("strace")).then(|| {
        provided("RINGWAY_STRACE", "the program `strace` (Debian: strace), and be allowed to attach it")
    })
}

fn provided(variable: &str, what: &str) -> PathBuf {
    let path = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("{variable} is not set: run `cargo xtask test`, or set it to {what}"))
}

fn left_out(tool: &str) -> bool {
    std::env::var("RINGWAY_TESTS_WITHOUT").is_ok_and(|tools| tools.split(',').any(|name| name == tool))
}
