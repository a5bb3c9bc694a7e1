//! Users by the worker that owns them.

use std::net::{IpAddr, Ipv4Addr};

use ringway_ring::{MemberId, Ring};

use crate::listener::Listener;
use crate::options::Options;
use crate::stage::Class;

/// How many clients connect from one address: far fewer than it has ports.
const CLIENTS_PER_ADDRESS: usize = 5_000;

/// The clients to be: as many as asked for whose users this worker owns, and as many bystanders.
pub(crate) fn pick(ring: &Ring, worker: &str, options: &Options) -> Vec<Listener> {
    let worker = MemberId::new(worker).expect("a worker's name");
    let (mut movers, mut bystanders) = (Vec::new(), Vec::new());
    for user in (0_u64..).map(|number| format!("user{number:06}")) {
        if movers.len() == options.movers() && bystanders.len() == options.bystanders as usize {
            break;
        }
        if ring.owner(&user) == Some(&worker) {
            if movers.len() < options.movers() {
                movers.push(Listener::new(user, Class::Mover));
            }
        } else if bystanders.len() < options.bystanders as usize {
            bystanders.push(Listener::new(user, Class::Bystander));
        }
    }
    movers.extend(bystanders);
    movers
}

/// The address of this machine from which a client connects.
pub(crate) fn source(client: usize) -> IpAddr {
    let number = 1 + client / CLIENTS_PER_ADDRESS;
    Ipv4Addr::new(127, 1, 0, u8::try_from(number).expect("at most 255 addresses are needed")).into()
}
