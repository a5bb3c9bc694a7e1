//! The table is what the specification's text says, computed here a second time and as plainly as it is
//! written.

use proptest::prelude::*;
use ringway_ring::{MemberId, Ring, RingMember, Slot, Strategy as Placement};
use xxhash_rust::xxh64::xxh64;

use crate::sets::{any_weights, build, config, members};

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn slots_rank_members_by_their_highest_score(weights in any_weights(), first in 0_u32..1024) {
        let ring = build(Placement::Slots, members(&weights));
        for slot in Slot::all().skip(first as usize).step_by(1024) {
            prop_assert_eq!(seen_rank(&ring, slot), rank_by_score(ring.active_members(), slot));
        }
    }

    #[test]
    fn hashring_ranks_members_by_their_next_point(weights in any_weights(), first in 0_u32..1024) {
        let ring = build(Placement::Hashring, members(&weights));
        let points = points(ring.active_members());
        for slot in Slot::all().skip(first as usize).step_by(1024) {
            prop_assert_eq!(seen_rank(&ring, slot), rank_by_points(&points, slot));
        }
    }
}

/// The owner from the table, and then the successors.
fn seen_rank(ring: &Ring, slot: Slot) -> Vec<&MemberId> {
    ring.owner_of_slot(slot).into_iter().chain(ring.successors(slot)).collect()
}

fn rank_by_score(members: &[RingMember], slot: Slot) -> Vec<&MemberId> {
    let best = |member: &RingMember| {
        let tokens =
            (0..member.weight.get()).map(|number| xxh64(format!("{}#{number}", member.id).as_bytes(), 0));
        tokens.map(|token| score(slot.index(), token)).max()
    };
    let mut ranked: Vec<&RingMember> = members.iter().collect();
    ranked.sort_by_key(|member| (std::cmp::Reverse(best(member)), member.id.as_str().as_bytes()));
    ranked.into_iter().map(|member| &member.id).collect()
}

/// The score in 64-bit arithmetic, cut back to 32 bits after each step.
fn score(slot: u32, token: u64) -> u64 {
    let cut = |number: u64| number & 0xffff_ffff;
    let mut base = cut(u64::from(slot) + 0x9E37_79B9);
    base ^= base >> 16;
    base = cut(base * 0x85EB_CA6B);
    base ^= base >> 13;
    base = cut(base * 0xC2B2_AE35);
    base ^= base >> 16;

    let mut h = cut((base ^ cut(token)) * 0x9E37_79B1);
    h ^= h >> 15;
    h = cut(h + (token >> 32));
    h = cut(h * 0x85EB_CA6B);
    h ^= h >> 13;
    h = cut(h * 0xC2B2_AE35);
    h ^ (h >> 16)
}

fn points(members: &[RingMember]) -> Vec<(u64, &MemberId)> {
    let points = members.iter().flat_map(|RingMember { id, weight }| {
        (0..160 * u32::from(*weight)).map(move |number| (xxh64(format!("{id}#{number}").as_bytes(), 0), id))
    });
    let mut points: Vec<_> = points.collect();
    points.sort();
    points
}

fn rank_by_points<'a>(points: &[(u64, &'a MemberId)], slot: Slot) -> Vec<&'a MemberId> {
    let position = u64::from(slot.index()) << 46 | 1 << 45;
    let (before, after): (Vec<_>, Vec<_>) = points.iter().copied().partition(|(point, _)| *point < position);
    let mut ranked = Vec::new();
    for (_, id) in after.into_iter().chain(before) {
        if !ranked.contains(&id) {
            ranked.push(id);
        }
    }
    ranked
}
