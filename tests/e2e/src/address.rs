//! Addresses for servers whose ports must be known before they start.
//!
//! A static member list names every worker's port before the first worker runs, so a port cannot be left to the kernel at
//! the moment of binding. Instead every test process has a loopback address of its own, made of its process id, and
//! hands out the ports below those that the kernel gives to whoever binds port 0, each of them once. So nobody else ever
//! binds them. (Outgoing connections do not get in the way: on loopback their source is 127.0.0.1.)

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ephemeral ports of Linux (32768) and of IANA (49152).
const PORTS: Range<u16> = 10_000..30_000;

static NEXT: AtomicU16 = AtomicU16::new(PORTS.start);

/// The loopback address of this test process: 127.64.0.0 to 127.127.255.255, as process ids have 22 bits.
pub fn own_ip() -> IpAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | (high & 63), middle, low).into()
}

/// An address that nobody else uses, now or later.
pub fn reserve() -> SocketAddr {
    reserve_at(own_ip())
}

/// The same at another address that this process has for itself.
pub fn reserve_at(ip: IpAddr) -> SocketAddr {
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(PORTS.contains(&port), "one test process needs more than {} ports", PORTS.len());
    (ip, port).into()
}
