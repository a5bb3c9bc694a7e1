//! How evenly slots are spread. The bounds are promises of `docs/placement.md`.

use ringway_ring::{Ring, Strategy as Placement};

use crate::sets::{SLOTS, build, member, workers};

/// The largest share by the mean share, in slots.
fn max_by_mean(ring: &Ring) -> f64 {
    let shares = ring.shares();
    let max = shares.iter().map(|(_, slots)| *slots).max().unwrap_or(0);
    f64::from(max) * shares.len() as f64 / f64::from(SLOTS)
}

#[test]
fn equal_members_have_nearly_equal_shares() {
    for (count, bound) in [(1, 1.0), (2, 1.01), (3, 1.01), (16, 1.02), (64, 1.05), (128, 1.07)] {
        let found = max_by_mean(&build(Placement::Slots, workers(count)));
        assert!(found <= bound, "{count} members: max/mean {found:.4}, promised {bound}");
    }
}

#[test]
fn other_names_do_not_change_that() {
    for (count, mean_bound, bound) in [(16, 1.02, 1.03), (128, 1.07, 1.09)] {
        let set = |name| (0..count).map(|number| member(&format!("{name}.{number}"), 1)).collect();
        let found = ["node", "zone-a", "10.0.0", "węzeł", "x", "y", "z"]
            .map(|name| max_by_mean(&build(Placement::Slots, set(name))));
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        assert!(mean <= mean_bound, "{count} members: max/mean {mean:.4} in the mean of {found:.4?}");
        assert!(found.iter().all(|found| *found <= bound), "{count} members: max/mean {found:.4?}");
    }
}

#[test]
fn shares_follow_weights() {
    for weights in [vec![1, 2, 3, 4], vec![1, 100], vec![100, 100, 50], vec![5; 7], vec![1, 0, 10]] {
        let total: u32 = weights.iter().sum();
        let members =
            (0..).zip(&weights).map(|(number, weight)| member(&format!("worker-{number}"), *weight));
        let ring = build(Placement::Slots, members.collect());
        for ((id, slots), weight) in ring.shares().into_iter().zip(&weights) {
            let part = f64::from(*weight) / f64::from(total);
            let (expected, deviation) =
                (part * f64::from(SLOTS), (part * (1.0 - part) * f64::from(SLOTS)).sqrt());
            let off = (f64::from(slots) - expected).abs();
            assert!(off <= 4.0 * deviation, "{id} of {weights:?}: {slots} slots, expected {expected:.0}");
        }
    }
}

#[test]
fn the_hash_ring_is_the_uneven_one() {
    let found = max_by_mean(&build(Placement::Hashring, workers(16)));
    assert!((1.05..1.4).contains(&found), "160 points spread 16 members to about 1.2, found {found:.4}");
}

#[test]
fn every_slot_is_counted_once() {
    for placement in Placement::ALL {
        let ring = build(placement, workers(16));
        let shares = ring.shares();
        assert_eq!(shares.iter().map(|(_, slots)| slots).sum::<u32>(), SLOTS);
        assert!(shares.iter().all(|(id, slots)| ring.slots_of(id) == *slots));
    }
}
