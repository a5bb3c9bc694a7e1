//! Seeded histories of a whole cluster: the real [`Shard`](ringway_session::Shard) of each worker and the real
//! [`Relay`](ringway_session::Relay) of each session, with a clock and a network of our own and nothing that waits.
//!
//! A history follows from its seed alone, so one that breaks a promise can be looked at again and again. What a worker's and
//! a gateway's async code does around the pure state is imitated in `worker` and `gateway`; what may go wrong is
//! in `faults`; what must hold all the same is in `checks`.

mod checks;
mod client;
mod event;
mod faults;
mod gateway;
mod ledger;
mod network;
mod plan;
mod random;
mod registry;
mod schedule;
mod sender;
mod trace;
mod view;
mod worker;
mod world;

pub use ledger::{Check, Violation};
pub use plan::Nature;

use ringway_session::Protections;

/// One history: everything follows from this.
#[derive(Clone, Copy, Debug)]
pub struct History {
    /// Where chance begins.
    pub seed: u64,
    /// What may happen in it.
    pub nature: Nature,
    /// What protects its sessions at workers.
    pub protections: Protections,
    /// And at gateways.
    pub gateway: GatewayProtections,
    /// What protects groups' messages at their homes.
    pub homes: HomeProtections,
}

/// What protects sessions on their way at a gateway, as far as it can be taken off around a [`Relay`](ringway_session::Relay).
#[derive(Clone, Copy, Debug)]
pub struct GatewayProtections {
    /// What the client sends while its session is at no worker is kept.
    pub keeping: bool,
    /// The next worker hears what was passed to the client.
    pub passed_offset: bool,
    /// A session whose client is gone and may come back is brought to its next worker first.
    pub finishing: bool,
}

impl Default for GatewayProtections {
    fn default() -> Self {
        GatewayProtections { keeping: true, passed_offset: true, finishing: true }
    }
}

/// What protects groups' messages from missing a worker with members, as far as it can be taken off around
/// [`HomeInterest`](ringway_session::HomeInterest) and [`LocalInterest`](ringway_session::LocalInterest).
#[derive(Clone, Copy, Debug)]
pub struct HomeProtections {
    /// A home takes a worker that has not reported for interested.
    pub unreported: bool,
    /// A session is open only when the homes of its groups know of it.
    pub settling: bool,
}

impl Default for HomeProtections {
    fn default() -> Self {
        HomeProtections { unreported: true, settling: true }
    }
}

/// What a history was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many things happened.
    pub events: u64,
    /// How many messages were put on their way.
    pub sent: u64,
    /// How often a client received one.
    pub received: u64,
    /// How often a client received one once more, since it was sent again although it may have been delivered.
    pub doubled: u64,
    /// How many sessions came to another worker.
    pub moved: u64,
    /// A number that differs, most likely, if anything at all went differently.
    pub fingerprint: u64,
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.sent += other.sent;
        self.received += other.received;
        self.doubled += other.doubled;
        self.moved += other.moved;
        self.fingerprint ^= other.fingerprint;
    }
}

impl History {
    /// Lets it happen.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn run(&self) -> Result<Summary, Violation> {
        world::World::new(self, false).run()
    }

    /// Lets it happen, and tells every event.
    pub fn tell(&self) -> (Result<Summary, Violation>, Vec<String>) {
        world::World::new(self, true).run_and_tell()
    }
}
