//! Member sets for the other files.

use std::collections::BTreeMap;

use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use ringway_ring::{MemberId, Ring, RingMember, Strategy as Placement, Weight};

/// How many slots there are, as the tables' counts are.
pub(crate) const SLOTS: u32 = ringway_ring::SLOT_COUNT as u32;

/// The same cases in every run.
pub(crate) fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(0x5107), failure_persistence: None, ..Config::default() }
}

/// Ids and weights. Weights are small but for a few, because building costs what they add up to.
pub(crate) fn any_weights() -> impl Strategy<Value = BTreeMap<String, u32>> {
    let id = prop_oneof![4 => "w[0-9]{1,2}", 1 => "[a-c#]{1,3}", 1 => "\\PC{1,6}"];
    let weight = prop_oneof![6 => Just(1), 2 => 0_u32..=5, 1 => 0_u32..=100];
    btree_map(id, weight, 0..10)
}

/// One of the two strategies.
pub(crate) fn any_placement() -> impl Strategy<Value = Placement> {
    prop_oneof![3 => Just(Placement::Slots), 1 => Just(Placement::Hashring)]
}

/// The members with these ids and weights.
pub(crate) fn members(weights: &BTreeMap<String, u32>) -> Vec<RingMember> {
    weights.iter().map(|(id, weight)| member(id, *weight)).collect()
}

/// A member.
pub(crate) fn member(id: &str, weight: u32) -> RingMember {
    RingMember::new(MemberId::new(id).unwrap()).weighing(Weight::new(weight).unwrap())
}

/// `worker-1` to `worker-count`, all of weight 1.
pub(crate) fn workers(count: u32) -> Vec<RingMember> {
    (1..=count).map(|number| member(&format!("worker-{number}"), 1)).collect()
}

/// A ring that must be possible.
pub(crate) fn build(placement: Placement, members: Vec<RingMember>) -> Ring {
    Ring::build(placement, members).unwrap()
}

/// Whether two rings are the same in everything that can be seen.
pub(crate) fn same(a: &Ring, b: &Ring) -> bool {
    a.strategy() == b.strategy()
        && a.version() == b.version()
        && a.members() == b.members()
        && a.active_members() == b.active_members()
        && a.table() == b.table()
}
