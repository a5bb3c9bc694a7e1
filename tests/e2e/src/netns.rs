//! Network namespaces: processes on machines of their own, as it were, and links between them that can be cut.
//!
//! ```text
//! the test ---- gateway ---- w1, w2, ... (one link for each)
//!     \------------------------/
//! ```
//!
//! The test reaches everybody. The gateway reaches each worker over a link of that worker's own; the workers share a
//! namespace, where they always reach each other. It needs root (CAP_NET_ADMIN), and takes addresses from 198.18.0.0/15, which
//! is for tests (RFC 2544).

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use crate::Seat;
use crate::required;

/// The namespaces and their links. Dropped, they are gone, and whatever still runs in them has no network.
pub struct Network {
    /// What all names begin with.
    prefix: String,
    workers: u8,
}

/// The two ends of a link: addresses of a /30.
struct Link(u8);

impl Network {
    /// For one gateway and so many workers; nothing if it was left out by name.
    pub fn new(workers: u8) -> Option<Self> {
        required::ip()?;
        let network = Self { prefix: format!("rw{}", std::process::id()), workers };
        network.build();
        Some(network)
    }

    /// Where the gateway runs.
    pub fn gateway(&self) -> Seat {
        Seat { ip: Link(0).far(), namespace: Some(self.namespace("g")) }
    }

    /// Where a worker runs, counted from 0.
    pub fn worker(&self, number: u8) -> Seat {
        Seat { ip: Link(2 + number).far(), namespace: Some(self.namespace("w")) }
    }

    /// Cuts the gateway's link to a worker: nothing passes, and nobody is told.
    pub fn cut(&self, number: u8) {
        self.within("g", &format!("link set {} down", self.interface(2 + number, "a")));
    }

    /// Mends it.
    pub fn mend(&self, number: u8) {
        self.within("g", &format!("link set {} up", self.interface(2 + number, "a")));
    }

    fn build(&self) {
        for name in ["g", "w"] {
            ip(&format!("netns add {}", self.namespace(name)));
            self.within(name, "link set lo up");
        }
        self.link(0, None, "g");
        self.link(1, None, "w");
        for number in 0..self.workers {
            self.link(2 + number, Some("g"), "w");
            // The test goes by its own link.
            ip(&format!("route add {}/32 via {}", Link(2 + number).far(), Link(1).far()));
        }
    }

    /// A link from a namespace, or from the test's own, to another one.
    fn link(&self, number: u8, from: Option<&str>, to: &str) {
        let [near, far] = ["a", "b"].map(|end| self.interface(number, end));
        ip(&format!("link add {near} type veth peer name {far} netns {}", self.namespace(to)));
        let in_from = |line: &str| match from {
            Some(from) => self.within(from, line),
            None => ip(line),
        };
        if let Some(from) = from {
            ip(&format!("link set {near} netns {}", self.namespace(from)));
        }
        let (near_address, far_address) = (Link(number).near(), Link(number).far());
        in_from(&format!("addr add {near_address}/30 dev {near}"));
        in_from(&format!("link set {near} up"));
        self.within(to, &format!("addr add {far_address}/30 dev {far}"));
        self.within(to, &format!("link set {far} up"));
    }

    fn within(&self, name: &str, line: &str) {
        ip(&format!("-n {} {line}", self.namespace(name)));
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn interface(&self, link: u8, end: &str) -> String {
        format!("{}{end}{link}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in ["g", "w"] {
            // The links and the routes over them go with it. One that is not there was never made.
            let removed = Command::new("ip").args(["netns", "delete", &self.namespace(name)]).status();
            if !removed.is_ok_and(|status| status.success()) {
                eprintln!("the namespace {} is left", self.namespace(name));
            }
        }
    }
}

impl Link {
    /// 198.18.x.y or 198.19.x.y, by the process's id.
    fn address(&self, end: u8) -> IpAddr {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Ipv4Addr::new(198, 18 + (high & 1), low, self.0 * 4 + end).into()
    }

    fn near(&self) -> IpAddr {
        self.address(1)
    }

    fn far(&self) -> IpAddr {
        self.address(2)
    }
}

fn ip(line: &str) {
    let program = required::ip().expect("it was not left out");
    let output = Command::new(program).args(line.split(' ')).output().expect("`ip` runs");
    assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
}
