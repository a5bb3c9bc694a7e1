//! Binding sockets, with errors that say which one.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context as _, anyhow};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

/// How many connections may wait to be accepted. The system may allow fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 8192;

/// Listens at an address; `key` is the setting that names it, for the error.
///
/// # Errors
/// One line: what was to be bound, by which setting, and why it cannot be.
pub(super) fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    let listen = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restarted process takes its address over from connections that are still saying goodbye.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| cannot_listen(error, address, key))
}

/// Takes datagrams at an address; `key` is the setting that names it, for the error.
///
/// # Errors
/// As [`bind()`].
pub(super) async fn bind_udp(address: SocketAddr, key: &str) -> anyhow::Result<UdpSocket> {
    UdpSocket::bind(address).await.map_err(|error| cannot_listen(error, address, key))
}

fn cannot_listen(error: io::Error, address: SocketAddr, key: &str) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow!(
                "cannot listen at {address} ({key}): another process does; give another address, or port 0 for any"
            )
        }
        _ => anyhow::Error::from(error).context(format!("cannot listen at {address} ({key})")),
    }
}

/// Where a listener listens in fact.
///
/// # Errors
/// When the system does not say.
pub(super) fn address_of(listener: &TcpListener) -> anyhow::Result<SocketAddr> {
    listener.local_addr().context("the address of a bound socket")
}

/// The address at which something on this machine reaches a listener.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        std::net::IpAddr::V4(ip) if ip.is_unspecified() => ([127, 0, 0, 1], address.port()).into(),
        std::net::IpAddr::V6(ip) if ip.is_unspecified() => {
            (std::net::Ipv6Addr::LOCALHOST, address.port()).into()
        }
        _ => address,
    }
}
