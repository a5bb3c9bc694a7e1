//! From which addresses clients connect. One address has some 28,000 ports for connections to one server, so clients are
//! spread over several: at loopback there are as many as one wants, elsewhere they are given.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How many clients connect from one address: far fewer than it has ports, for those of earlier connections are taken for a
/// minute.
const CLIENTS_PER_ADDRESS: usize = 10_000;

/// How many addresses are taken at the most.
const ADDRESSES_MAX: usize = 250;

/// The addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sources {
    addresses: Vec<IpAddr>,
}

impl Sources {
    /// Those given; or, if there are none and the server is at IPv4 loopback, 127.0.0.2, .3, … as many as so many clients need.
    /// Otherwise the operating system chooses.
    pub(crate) fn new(given: &[IpAddr], server: SocketAddr, clients: usize) -> Self {
        let addresses = match server.ip() {
            _ if !given.is_empty() => given.to_vec(),
            IpAddr::V4(ip) if ip.is_loopback() => {
                let count = clients.div_ceil(CLIENTS_PER_ADDRESS).clamp(1, ADDRESSES_MAX);
                (2..).take(count).map(|last| Ipv4Addr::new(127, 0, 0, last).into()).collect()
            }
            _ => Vec::new(),
        };
        Self { addresses }
    }

    /// The address for a client; none: any.
    pub(crate) fn of(&self, client: usize) -> Option<IpAddr> {
        let count = self.addresses.len();
        (count > 0).then(|| self.addresses[client % count])
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.addresses.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_as_many_as_needed() {
        let check = |server: &str, clients, expected: &[&str]| {
            let sources = Sources::new(&[], server.parse().unwrap(), clients);
            let expected: Vec<IpAddr> = expected.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(sources.addresses, expected, "{server} {clients}");
        };
        check("127.0.0.1:80", 1, &["127.0.0.2"]);
        check("127.0.0.1:80", 10_000, &["127.0.0.2"]);
        check("127.0.0.1:80", 10_001, &["127.0.0.2", "127.0.0.3"]);
        check("10.0.0.1:80", 100_000, &[]);
        check("[::1]:80", 1, &[]);
        let most = Sources::new(&[], "127.0.0.1:80".parse().unwrap(), usize::MAX);
        assert_eq!((most.count(), most.of(249)), (250, Some(Ipv4Addr::new(127, 0, 0, 251).into())));
    }

    #[test]
    fn those_given_are_taken_in_turn() {
        let given: Vec<IpAddr> = vec![Ipv4Addr::new(10, 0, 0, 2).into(), Ipv4Addr::new(10, 0, 0, 3).into()];
        let sources = Sources::new(&given, "10.0.0.1:80".parse().unwrap(), 4);
        assert_eq!(
            (0..3).map(|client| sources.of(client)).collect::<Vec<_>>(),
            [Some(given[0]), Some(given[1]), Some(given[0])]
        );
    }
}
