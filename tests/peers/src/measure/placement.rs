//! Placement, counted by the clock: `cargo bench -p ringway-ring` does it with more care.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ringway_ring::{MemberId, Ring, RingMember, Strategy};

use super::Figures;

const MEMBERS: u32 = 128;
/// How often is looked up, in keys that do not all fit into the nearest cache.
const LOOK_UPS: u32 = 4_000_000;
const KEYS: u32 = 4096;
/// How many changes follow the first one.
const NEXT_CHANGES: usize = 9;

pub(super) fn measure() -> Figures {
    let (most, all) = (members(MEMBERS - 1), members(MEMBERS));
    let began = Instant::now();
    let ring = build(black_box(all.clone()));
    let built = began.elapsed();
    let changed = changes(most, &all);
    let keys: Vec<String> = (0..KEYS).map(|number| format!("user-{number:011}")).collect();
    let began = Instant::now();
    for key in keys.iter().cycle().take(LOOK_UPS as usize) {
        black_box(ring.owner(black_box(key)));
    }
    let looked_up = began.elapsed();
    vec![
        ("look_up_ns", looked_up.as_secs_f64() * 1e9 / f64::from(LOOK_UPS)),
        ("build_ms", built.as_secs_f64() * 1e3),
        ("change_ms", changed.first.as_secs_f64() * 1e3),
        ("next_change_ms", changed.next.as_secs_f64() * 1e3),
    ]
}

/// How long it takes to add a member: for the first time, and in the middle of those that follow, when the memory of rings that nobody
/// has any more is there to be used again.
struct Changes {
    first: Duration,
    next: Duration,
}

fn changes(most: Vec<RingMember>, all: &[RingMember]) -> Changes {
    let from = build(most);
    let mut times = (0..=NEXT_CHANGES).map(|_| {
        let began = Instant::now();
        let changed = from.with_members(black_box(all.to_vec())).expect("distinct names");
        let time = began.elapsed();
        drop(black_box(changed));
        time
    });
    let first = times.next().unwrap_or_default();
    let mut next: Vec<_> = times.collect();
    next.sort_unstable();
    Changes { first, next: next[next.len() / 2] }
}

fn members(count: u32) -> Vec<RingMember> {
    let ids = (1..=count).map(|number| MemberId::new(format!("worker-{number}")));
    ids.map(|id| RingMember::new(id.expect("a short name"))).collect()
}

fn build(members: Vec<RingMember>) -> Ring {
    Ring::build(Strategy::Slots, members).expect("distinct names")
}
