//! How each system is started. Its configuration is a file in `configs/`, with the addresses of this run put in.

mod bare;
mod broadcast;
mod gateways;
mod nats;
mod nchan;
mod pushpin;
mod ringway;
mod socketio;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ringway_e2e::{PATIENCE, address};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::procs::Running;
use crate::system::System;

pub(crate) use ringway::Auth;

/// A system that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Gateways, in front of an upstream or of workers, whose clients get back what they send.
    Nginx,
    Haproxy,
    Upstream,
    RingwayEcho(Auth),
    /// Message servers.
    Ringway {
        workers: usize,
    },
    /// All nodes in one process.
    RingwayUp {
        workers: usize,
    },
    Nats,
    Nchan,
    Pushpin,
    Socketio,
    Broadcast {
        workers: usize,
    },
    Bare,
}

impl Kind {
    /// What the tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx + upstream",
            Self::Haproxy => "HAProxy + upstream",
            Self::Upstream => "the upstream alone",
            Self::RingwayEcho(Auth::Plain) => "ringway gateway + worker (plain)",
            Self::RingwayEcho(Auth::Jwt) => "ringway gateway + worker (JWT)",
            Self::Ringway { .. } => "ringway",
            Self::RingwayUp { .. } => "ringway up",
            Self::Nats => "nats-server",
            Self::Nchan => "nchan",
            Self::Pushpin => "pushpin",
            Self::Socketio => "Socket.IO + Redis adapter",
            Self::Broadcast { .. } => "Redis broadcast",
            Self::Bare => "bare write()",
        }
    }

    /// Starts it, and waits until it takes clients.
    pub(crate) fn start(self, runtime: &Runtime) -> Result<System> {
        match self {
            Self::Nginx => gateways::nginx(),
            Self::Haproxy => gateways::haproxy(),
            Self::Upstream => gateways::upstream(),
            Self::RingwayEcho(auth) => Ok(ringway::echo(runtime, auth)),
            Self::Ringway { workers } => Ok(ringway::delivery(runtime, workers)),
            Self::RingwayUp { workers } => ringway::up(workers),
            Self::Nats => nats::start(),
            Self::Nchan => nchan::start(),
            Self::Pushpin => pushpin::start(),
            Self::Socketio => socketio::start(),
            Self::Broadcast { workers } => broadcast::start(workers),
            Self::Bare => bare::start(),
        }
    }
}

/// A directory for one start of a system.
fn home() -> Result<TempDir> {
    tempfile::tempdir().context("a temporary directory")
}

/// Writes a configuration with these values in it, and says where it is.
fn configure(home: &Path, name: &str, template: &str, values: &[(&str, &str)]) -> Result<PathBuf> {
    let put = |text: String, (key, value): &(&str, &str)| text.replace(&format!("{{{{{key}}}}}"), value);
    let text = values.iter().fold(template.to_owned(), put);
    ensure!(!text.contains("{{"), "{name}: a value is missing: {text}");
    let path = home.join(name);
    std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    Ok(path)
}

/// This binary in one of its roles.
fn role(name: &str, arguments: &[String], home: &Path) -> Result<Running> {
    let program = std::env::current_exe().context("our own path")?;
    let role = name.split('-').next().unwrap_or(name);
    Running::start(name, Command::new(program).arg(role).args(arguments), home)
}

/// A new address of this run's own.
fn reserve() -> SocketAddr {
    address::reserve()
}

/// Waits until a server that we started takes connections.
fn wait_for(address: SocketAddr, running: &mut Running) -> Result<()> {
    wait_until(running, "taking connections", || TcpStream::connect(address).map(|_| true))
}

/// Asks again and again, until the answer is yes. An error is a no.
fn wait_until(running: &mut Running, what: &str, is_so: impl Fn() -> io::Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !is_so().unwrap_or_default() {
        running.assert_runs()?;
        ensure!(began.elapsed() < PATIENCE, "is not {what}: {}", running.last_words());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A Redis that keeps nothing.
fn redis(home: &Path) -> Result<(Running, SocketAddr)> {
    let (program, address) = (crate::tools::Tool::Redis.path()?, reserve());
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let values = [("ip", ip.as_str()), ("port", &port), ("home", &home.display().to_string())];
    let config = configure(home, "redis.conf", include_str!("../../configs/redis.conf"), &values)?;
    let mut running = Running::start("redis", Command::new(program).arg(config), home)?;
    wait_for(address, &mut running)?;
    Ok((running, address))
}
