//! A ring is a function of its members: neither their order nor the way they came together leaves a trace.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use ringway_ring::{Ring, Strategy as Placement};

use crate::sets::{any_placement, any_weights, build, config, members, same};

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn the_order_of_members_does_not_matter(
        (sorted, shuffled) in any_weights().prop_map(|weights| members(&weights))
            .prop_flat_map(|members| (Just(members.clone()), Just(members).prop_shuffle())),
        placement in any_placement(),
    ) {
        prop_assert!(same(&build(placement, sorted), &build(placement, shuffled)));
    }

    #[test]
    fn a_chain_of_changes_ends_where_a_build_begins(
        sets in vec(any_weights(), 2..5), placement in any_placement(),
    ) {
        let mut ring = build(placement, Vec::new());
        for weights in sets {
            ring = ring.with_members(members(&weights)).unwrap();
            prop_assert!(same(&ring, &build(placement, members(&weights))));
        }
    }

    #[test]
    fn small_changes_end_where_a_build_begins(
        start in any_weights(),
        changes in vec(("w[0-9]{1,2}", prop_oneof![0_u32..=3, 0_u32..=100]), 1..8),
    ) {
        let mut weights = crowd(start);
        let mut ring = build(Placement::Slots, members(&weights));
        for (id, weight) in changes {
            weights.insert(id, weight);
            ring = ring.with_members(members(&weights)).unwrap();
        }
        prop_assert!(same(&ring, &build(Placement::Slots, members(&weights))));
    }

    #[test]
    fn members_without_weight_change_neither_version_nor_table(
        weights in any_weights(), placement in any_placement(),
    ) {
        let ring = build(placement, members(&weights));
        let active = weights.into_iter().filter(|(_, weight)| *weight > 0).collect();
        let without = build(placement, members(&active));
        prop_assert_eq!(ring.version(), without.version());
        prop_assert_eq!(ring.table(), without.table());
    }

    #[test]
    fn versions_tell_different_rings_apart(
        a in any_weights(), b in any_weights(), (p, q) in (any_placement(), any_placement()),
    ) {
        let (a, b) = (build(p, members(&a)), build(q, members(&b)));
        let what = |ring: &Ring| (ring.strategy(), ring.active_members().to_vec());
        prop_assert_eq!(a.version() == b.version(), what(&a) == what(&b));
    }
}

/// Enough other members that a change of one is made by an update and not by a build.
fn crowd(mut weights: BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    weights.extend((0..3).map(|number| (format!("crowd-{number}"), 40)));
    weights
}
