//! Which workers have members of which group: what a group's home must know to send to no more workers than needed,
//! and to no fewer.
//!
//! The law: a home leaves a worker out only while that worker's report stream is complete for the home's present ring
//! and does not name the group. Everything else (no stream, a broken one, one for another ring) counts as interested.

mod home;
mod local;
#[cfg(test)]
mod tests;

use ringway_ring::RingVersion;

pub use home::{HomeInterest, StreamId};
pub use local::LocalInterest;

use crate::name::GroupId;

/// What a worker tells a home: groups that have members at the worker from now on, and groups that have none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Grows with every report of one worker to one home.
    pub sequence: u64,
    /// The ring by which the worker took the home for the groups' home.
    pub ring_version: RingVersion,
    /// Whether a complete list begins: what was reported before is forgotten.
    pub restart: bool,
    /// Whether the list that the last restart began is complete with this report.
    pub complete: bool,
    /// Groups with members.
    pub joined: Vec<GroupId>,
    /// Groups without members.
    pub left: Vec<GroupId>,
}
