//! A change moves what it must and nothing else.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ringway_ring::{Ring, RingDiff, Slot, Strategy as Placement};

use crate::sets::{SLOTS, any_placement, any_weights, build, config, members, workers};

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn slots_move_only_to_who_gained_or_from_who_lost(
        old in any_weights(), new in any_weights(), placement in any_placement(),
    ) {
        let (older, newer) = (build(placement, members(&old)), build(placement, members(&new)));
        let gained = |id: &str| weight(&new, id) > weight(&old, id);
        let lost = |id: &str| weight(&new, id) < weight(&old, id);
        for it in older.diff(&newer).moves() {
            let given = it.from.is_none_or(|id| lost(id.as_str()));
            prop_assert!(given || it.to.is_none_or(|id| gained(id.as_str())), "{:?}", it);
        }
    }

    #[test]
    fn a_joiner_takes_exactly_its_share(
        weights in any_weights(), joiner in 1_u32..=5, placement in any_placement(),
    ) {
        let older = build(placement, members(&weights));
        let newer = build(placement, members(&with(&weights, "joiner", joiner)));
        let diff = older.diff(&newer);
        prop_assert!(diff.moves().all(|it| it.to.is_some_and(|id| id.as_str() == "joiner")));
        prop_assert_eq!(diff.slots_moved(), slots_of(&newer, "joiner"));
    }

    #[test]
    fn a_leaver_s_slots_go_to_their_first_successors(weights in any_weights(), placement in any_placement()) {
        let older = build(placement, members(&with(&weights, "leaver", 1)));
        let newer = build(placement, members(&weights));
        let diff = older.diff(&newer);
        prop_assert_eq!(diff.slots_moved(), slots_of(&older, "leaver"));
        for it in diff.moves().step_by(64) {
            prop_assert_eq!(it.from.map(|id| id.as_str()), Some("leaver"));
            prop_assert_eq!(it.to, older.successors(it.slot).first().copied());
        }
    }

    #[test]
    fn differences_agree_with_the_rings(
        old in any_weights(), new in any_weights(), placement in any_placement(),
    ) {
        let (older, newer) = (build(placement, members(&old)), build(Placement::Slots, members(&new)));
        let diff = older.diff(&newer);
        let moves: BTreeMap<Slot, _> = diff.moves().map(|it| (it.slot, (it.from, it.to))).collect();
        for slot in Slot::all() {
            let (from, to) = (older.owner_of_slot(slot), newer.owner_of_slot(slot));
            prop_assert_eq!(moves.get(&slot).copied(), (from != to).then_some((from, to)));
        }
        prop_assert_eq!(balance(&diff, &older), balance(&newer.diff(&newer), &newer));
    }
}

#[test]
fn nothing_differs_from_itself() {
    let ring = build(Placement::Slots, workers(3));
    let diff = ring.diff(&ring);
    assert!(diff.is_empty());
    assert_eq!(diff.flows(), []);
}

#[test]
fn everything_moves_when_a_cluster_begins_and_ends() {
    let (empty, ring) = (build(Placement::Slots, Vec::new()), build(Placement::Slots, workers(2)));
    let summary = empty.diff(&ring).summary();
    assert_eq!((summary.from_version, summary.to_version), (empty.version(), ring.version()));
    assert_eq!(summary.slots_moved, SLOTS);
    assert!(summary.flows.iter().all(|flow| flow.from.is_none()));
    let ids: Vec<_> = ring.diff(&empty).flows().into_iter().map(|flow| (flow.from, flow.to)).collect();
    assert_eq!(ids, ring.members().iter().map(|member| (Some(member.id.clone()), None)).collect::<Vec<_>>());
}

#[test]
fn a_summary_is_written_with_versions_as_text() {
    let (one, two) = (build(Placement::Slots, workers(1)), build(Placement::Slots, workers(2)));
    let diff = one.diff(&two);
    let written = serde_json::to_value(diff.summary()).unwrap();
    let expected = serde_json::json!({
        "from_version": one.version().to_string(),
        "to_version": two.version().to_string(),
        "slots_moved": diff.slots_moved(),
        "flows": [{"from": "worker-1", "to": "worker-2", "slots": diff.slots_moved()}],
    });
    assert_eq!(written, expected);
}

/// Every member's slots in the ring after the difference's flows, those without slots left out.
fn balance(diff: &RingDiff, ring: &Ring) -> BTreeMap<String, i64> {
    let mut balance = BTreeMap::<String, i64>::new();
    for (id, slots) in ring.shares() {
        *balance.entry(id.to_string()).or_default() += i64::from(slots);
    }
    for flow in diff.flows() {
        for (id, slots) in [(flow.from, -i64::from(flow.slots)), (flow.to, i64::from(flow.slots))] {
            *balance.entry(id.map(|id| id.to_string()).unwrap_or_default()).or_default() += slots;
        }
    }
    balance.retain(|id, slots| *slots != 0 && !id.is_empty());
    balance
}

fn weight(weights: &BTreeMap<String, u32>, id: &str) -> u32 {
    weights.get(id).copied().unwrap_or(0)
}

fn with(weights: &BTreeMap<String, u32>, id: &str, weight: u32) -> BTreeMap<String, u32> {
    weights.iter().map(|(id, weight)| (id.clone(), *weight)).chain([(id.to_owned(), weight)]).collect()
}

fn slots_of(ring: &Ring, id: &str) -> u32 {
    ring.slots_of(&id.parse().unwrap())
}
