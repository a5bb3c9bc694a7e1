//! A table that came from elsewhere is used as it is, if it is what these members give.

use proptest::prelude::*;
use ringway_ring::{NO_OWNER, Ring, RingError, Slot, Strategy as Placement};

use crate::sets::{SLOTS, any_placement, any_weights, build, config, members, same, workers};

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn a_received_ring_is_the_sent_one(
        old in any_weights(), new in any_weights(), placement in any_placement(),
    ) {
        let sent = build(placement, members(&old));
        let received = Ring::from_snapshot(placement, members(&old), sent.table().to_vec()).unwrap();
        prop_assert!(same(&sent, &received));
        let slot = Slot::of(b"alice");
        prop_assert_eq!(sent.successors(slot), received.successors(slot));
        let changed = received.with_members(members(&new)).unwrap();
        prop_assert!(same(&changed, &build(placement, members(&new))));
    }

    #[test]
    fn a_table_of_other_members_is_refused(
        old in any_weights(), new in any_weights(), placement in any_placement(),
    ) {
        let (sent, other) = (build(placement, members(&old)), build(placement, members(&new)));
        prop_assume!(sent.active_members().len() > 1 && other.active_members() != sent.active_members());
        let moved = sent.diff(&other).slots_moved();
        prop_assume!(moved > SLOTS / 10);
        let indexes_differ = sent.table().iter().zip(other.table()).filter(|(a, b)| a != b).count();
        prop_assume!(indexes_differ > SLOTS as usize / 10);
        prop_assert!(Ring::from_snapshot(placement, members(&old), other.table().to_vec()).is_err());
    }
}

fn refusal(members: u32, table: Vec<u16>) -> RingError {
    Ring::from_snapshot(Placement::Slots, workers(members), table).unwrap_err()
}

#[test]
fn a_malformed_table_is_refused() {
    let table = build(Placement::Slots, workers(3)).table().to_vec();
    let with = |index: usize, entry: u16| {
        let mut table = table.clone();
        table[index] = entry;
        table
    };
    let slot = |index| Slot::new(index).unwrap();
    assert_eq!(refusal(3, table[1..].to_vec()), RingError::TableLength { entries: 262_143 });
    assert_eq!(refusal(3, with(77, 3)), RingError::TableIndex { slot: slot(77), index: 3, active: 3 });
    assert_eq!(
        refusal(3, with(5, NO_OWNER)),
        RingError::TableIndex { slot: slot(5), index: NO_OWNER, active: 3 }
    );
    assert_eq!(refusal(0, with(0, 0)), RingError::TableIndex { slot: slot(0), index: 0, active: 0 });
    let (found, expected) = ((table[0] + 1) % 3, table[0]);
    assert_eq!(refusal(3, with(0, found)), RingError::TableDisagrees { slot: slot(0), found, expected });
}

#[test]
fn a_shuffled_numbering_is_refused() {
    let table = build(Placement::Slots, workers(3)).table().to_vec();
    let rotated = table.iter().map(|index| (index + 1) % 3).collect();
    assert!(matches!(refusal(3, rotated), RingError::TableDisagrees { .. }));
}
