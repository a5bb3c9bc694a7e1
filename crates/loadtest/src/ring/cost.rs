//! What a look-up, a build and a change cost. The best of a few rounds counts: whatever else the machine does can only make it slower.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::hint::black_box;
use std::time::{Duration, Instant};

use hashring::HashRing;
use ringway_ring::{Ring, RingMember, Strategy, hash_of};

use super::cluster::{Change, Cluster, Numbered};
use super::kind::Kind;
use super::points;

/// How many keys are looked up in a round, and how many different ones there are.
const LOOKUPS: usize = 1 << 18;
const KEYS: usize = 1 << 12;

/// Rounds end when there were so many, or when they took so long together.
const ROUNDS: usize = 5;
const ROUNDS_WITHIN: Duration = Duration::from_secs(1);

/// Times in nanoseconds. None: there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// From the bytes of a 16-byte key to its owner.
    pub(crate) look_up: f64,
    /// Of a ring from its nodes.
    pub(crate) build: Option<f64>,
    /// Of a ring with one node more.
    pub(crate) change: Option<f64>,
}

/// Takes the time.
pub(crate) fn of(kind: Kind, cluster: &Cluster) -> anyhow::Result<Cost> {
    let (now, after) = (cluster.now(), cluster.after(Change::Add));
    match kind {
        Kind::Slots => slots(&now, &after),
        Kind::Hashring { points } => Ok(of_crate(&now, &after, points)),
        Kind::Modulo => {
            let nodes = black_box(now.len() as u64);
            Ok(Cost { look_up: look_up(|key| hash_of(key.as_bytes()) % nodes), build: None, change: None })
        }
    }
}

fn slots(now: &Numbered, after: &Numbered) -> anyhow::Result<Cost> {
    let members = |nodes: &Numbered| nodes.iter().map(|(_, node)| node.clone()).collect::<Vec<RingMember>>();
    let (now, after) = (members(now), members(after));
    let ring = Ring::build(Strategy::Slots, now.clone())?;
    Ok(Cost {
        look_up: look_up(|key| ring.owner(key)),
        build: Some(best(1, || Ring::build(Strategy::Slots, now.clone()))),
        change: Some(best(1, || ring.with_members(after.clone()))),
    })
}

fn of_crate(now: &Numbered, after: &Numbered, points: u16) -> Cost {
    let ring = Crate::new(now, points);
    let added = &after[now.len()..];
    let change = || {
        let began = Instant::now();
        let mut copy = ring.0.clone();
        let copying = began.elapsed();
        copy.batch_add(Crate::points(added, points));
        black_box(copy);
        // The crate changes a ring in its place.
        began.elapsed() - copying
    };
    Cost {
        look_up: look_up(|key| ring.owner(hash_of(key.as_bytes()))),
        build: Some(best(1, || Crate::new(now, points))),
        change: (0..ROUNDS).map(|_| change()).min().map(|change| change.as_nanos() as f64),
    }
}

/// The time for each look-up.
fn look_up<T>(owner: impl Fn(&str) -> T) -> f64 {
    let keys: Vec<String> = (0..KEYS).map(|number| format!("user-{number:011}")).collect();
    best(LOOKUPS as u32, || {
        for number in 0..LOOKUPS {
            black_box(owner(black_box(&keys[number % KEYS])));
        }
    })
}

/// The shortest round, divided by what is done in it.
fn best<T>(parts: u32, mut round: impl FnMut() -> T) -> f64 {
    let began = Instant::now();
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(round());
        best = best.min(start.elapsed());
        if began.elapsed() > ROUNDS_WITHIN {
            break;
        }
    }
    best.as_nanos() as f64 / f64::from(parts)
}

/// The classic ring as the crate `hashring` keeps it. Positions are hashed by ourselves and only carried through its hasher.
pub(super) struct Crate(HashRing<Point, BuildHasherDefault<PassThrough>>);

/// A virtual point of a node.
#[derive(Clone, Copy)]
pub(super) struct Point {
    position: u64,
    node: u16,
}

impl Crate {
    pub(super) fn new(nodes: &Numbered, per_weight: u16) -> Self {
        let mut sorted = nodes.clone();
        sorted.sort_by(|one, other| one.1.id.cmp(&other.1.id));
        let mut ring = HashRing::with_hasher(BuildHasherDefault::default());
        ring.batch_add(Self::points(&sorted, per_weight));
        Self(ring)
    }

    fn points(nodes: &[(u16, RingMember)], per_weight: u16) -> Vec<Point> {
        let of_node = |(number, node): &(u16, RingMember)| {
            let node_number = *number;
            points::of(node, per_weight).map(move |position| Point { position, node: node_number })
        };
        nodes.iter().flat_map(of_node).collect()
    }

    /// The number of the owner of keys with this hash.
    pub(super) fn owner(&self, hash: u64) -> u16 {
        self.0.get(&hash).expect("a ring with points").node
    }
}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.position);
    }
}

/// A hasher that gives back the one number written to it.
#[derive(Clone, Default)]
pub(super) struct PassThrough(u64);

impl Hasher for PassThrough {
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("a position writes itself as one u64");
    }

    fn write_u64(&mut self, position: u64) {
        self.0 = position;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
