//! A registry without any other service: the nodes of the cluster tell each other who there is, over UDP.
//!
//! The gossip itself is `chitchat`'s: every node has a state of keys and values, and exchanges what is new with a few
//! others each round. On top of it this crate says what a member is, who may take part, and when what is seen may be
//! believed:
//!
//! - A node may carry members (a worker carries itself) or none (a gateway only watches).
//! - Every datagram is sealed with a key made of the cluster secret. A stranger is not heard.
//! - A member that leaves is off every list within about a round. One that dies is missed within `failure_timeout`.
//! - A node that hears nobody takes nobody off its list for that, and its own leases run out.
//!
//! What is not promised: two halves of a cluster that cannot hear each other each keep the other's members only for
//! `failure_timeout`, and then go on by themselves. Whoever can record datagrams can play them again to a node that has
//! just started; he learns who the members are, since nothing is encrypted.

mod config;
mod hub;
mod lease;
mod pulse;
mod record;
mod registry;
mod roster;
mod seal;
mod seats;
mod seeds;
mod sight;
mod task;
mod transport;

pub use config::GossipConfig;
pub use registry::{GossipRegistry, StartError};
