//! The small server behind several roles: a program with one thread and one epoll that speaks just enough WebSocket.
//!
//! - As an *upstream* behind a proxy it answers handshakes and sends back what comes.
//! - As the *bare* program it reads records, each a receiver and a payload, and does nothing but the writes: the limit.
//! - As a *broadcast* worker it subscribes to one channel of Redis, on which every worker gets every message, and looks whether it
//!   has the receiver.

mod client;
mod feed;
mod handshake;
mod server;

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result};

pub(crate) use feed::{TO_ALL, command, publish, record};

/// What it shall be.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Role {
    /// Where clients connect; may be repeated
    #[arg(long, required = true)]
    listen: Vec<SocketAddr>,
    /// Where records come from
    #[arg(long)]
    records: Option<SocketAddr>,
    /// The Redis to subscribe to
    #[arg(long)]
    redis: Option<SocketAddr>,
}

/// Serves until it is killed.
pub(crate) fn run(role: &Role) -> Result<()> {
    let bind = |address: &SocketAddr| TcpListener::bind(address).with_context(|| address.to_string());
    let listeners = role.listen.iter().map(bind).collect::<Result<Vec<_>>>()?;
    let feed = match (role.records, role.redis) {
        (Some(records), _) => Some(feed::Feed::records(&bind(&records)?)?),
        (None, Some(redis)) => Some(feed::Feed::redis(redis)?),
        (None, None) => None,
    };
    server::Server::new(listeners, feed)?.run()
}
