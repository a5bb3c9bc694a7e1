//! Addresses for servers whose ports must be known before they start.
//!
//! A static member list names every worker's port before the first worker runs, so a port cannot be left to the kernel at
//! the moment of binding. Instead it is asked for beforehand: a socket is bound to port 0, the port read, the socket
//! closed, and the server binds it a moment later. So that nobody takes it in between, every test process has a loopback
//! address of its own, made of its process id, and hands each port out only once. (Outgoing connections do not get in the
//! way: on loopback their source is 127.0.0.1.)

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{LazyLock, Mutex};

static TAKEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// The loopback address of this test process: 127.64.0.0 to 127.127.255.255, as process ids have 22 bits.
pub fn own_ip() -> IpAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | (high & 63), middle, low).into()
}

/// An address that nobody else uses, now or later.
pub fn reserve() -> SocketAddr {
    loop {
        let listener = TcpListener::bind((own_ip(), 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        if TAKEN.lock().expect("no test panics in here").insert(address.port()) {
            return address;
        }
    }
}
