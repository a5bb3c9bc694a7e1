//! What placement costs: a look-up, a build, and a change of one member.
//!
//! Repeat with `cargo bench -p ringway-ring`. Figures belong into `docs/placement.md` only as this prints
//! them.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ringway_ring::{MemberId, Ring, RingMember, Slot, Strategy};

/// How many members the measured rings have.
const SIZES: [u32; 3] = [3, 16, 128];

fn members(count: u32) -> Vec<RingMember> {
    let ids = (1..=count).map(|number| MemberId::new(format!("worker-{number}")));
    ids.map(|id| RingMember::new(id.expect("a short ASCII name"))).collect()
}

fn ring(strategy: Strategy, members: Vec<RingMember>) -> Ring {
    Ring::build(strategy, members).expect("distinct names")
}

fn look_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("look-up");
    let keys: Vec<String> = (0..4096).map(|number| format!("user-{number:011}")).collect();
    for size in SIZES {
        let ring = ring(Strategy::Slots, members(size));
        let mut next = keys.iter().cycle();
        group.bench_function(BenchmarkId::new("owner of a 16-byte key", size), |b| {
            b.iter(|| ring.owner(black_box(next.next().expect("a cycle has no end"))));
        });
    }
    let ring = ring(Strategy::Slots, members(128));
    group.bench_function("successors, 128 members", |b| {
        b.iter(|| ring.successors(black_box(Slot::of(b"alice"))));
    });
    group.finish();
}

fn build(c: &mut Criterion) {
    for strategy in Strategy::ALL {
        let mut group = c.benchmark_group(format!("build, {strategy}"));
        group.sample_size(20);
        for size in SIZES {
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter(|| ring(strategy, black_box(members(size))));
            });
        }
        group.finish();
    }
}

fn change(c: &mut Criterion) {
    let mut group = c.benchmark_group("change, slots");
    for size in SIZES {
        let (most, all) = (members(size - 1), members(size));
        for (name, from, to) in [("add one", &most, &all), ("remove one", &all, &most)] {
            let from = ring(Strategy::Slots, from.clone());
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter(|| from.with_members(black_box(to.clone())));
            });
        }
        let (from, to) = (ring(Strategy::Slots, most), ring(Strategy::Slots, all));
        group.bench_function(BenchmarkId::new("diff", size), |b| {
            b.iter(|| from.diff(black_box(&to)));
        });
    }
    group.finish();
}

criterion_group!(placement, look_up, build, change);
criterion_main!(placement);
