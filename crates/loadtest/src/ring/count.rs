//! Looks every key up in every ring, with as many threads as the machine has processors.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use super::cluster::Change;
use super::keys::Source;
use super::{BEAT, Rings};

/// How many threads there are at the most.
const THREADS_MAX: usize = 16;

/// What was counted of one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) keys: u64,
    /// How many keys each node has.
    pub(crate) loads: Vec<u64>,
    /// How many keys each change moves.
    pub(crate) moved: [u64; Change::ALL.len()],
}

/// Counts all keys, for each of the strategies, and says again and again how many are done.
pub(super) fn count(
    rings: &[Rings],
    source: &Source,
    nodes: usize,
    done: &AtomicU64,
    mut look: impl FnMut(u64),
) -> anyhow::Result<Vec<Counted>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let (watcher, ended) = (thread::current(), AtomicUsize::new(0));
    let work = || {
        let counted = one_thread(rings, source, nodes, done);
        ended.fetch_add(1, Ordering::Relaxed);
        watcher.unpark();
        counted
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        while ended.load(Ordering::Relaxed) < threads
            && !running.iter().all(thread::ScopedJoinHandle::is_finished)
        {
            look(done.load(Ordering::Relaxed));
            thread::park_timeout(BEAT);
        }
        let mut all = vec![Counted::new(nodes); rings.len()];
        for thread in running {
            let counted = thread.join().expect("counting does not panic")?;
            all.iter_mut().zip(counted).for_each(|(all, counted)| all.add(&counted));
        }
        Ok(all)
    })
}

fn one_thread(
    rings: &[Rings],
    source: &Source,
    nodes: usize,
    done: &AtomicU64,
) -> anyhow::Result<Vec<Counted>> {
    let mut counted = vec![Counted::new(nodes); rings.len()];
    let mut hashes = Vec::new();
    while let Some(batch) = source.take()? {
        batch.hash(&mut hashes);
        for (rings, counted) in rings.iter().zip(&mut counted) {
            counted.count(rings, &hashes);
        }
        done.fetch_add(hashes.len() as u64, Ordering::Relaxed);
    }
    Ok(counted)
}

impl Counted {
    fn new(nodes: usize) -> Self {
        Self { keys: 0, loads: vec![0; nodes], moved: Default::default() }
    }

    /// One ring after the other, so that each stays in the processor's cache.
    fn count(&mut self, rings: &Rings, hashes: &[u64]) {
        let owners: Vec<u16> = hashes.iter().map(|hash| rings.now.owner(*hash)).collect();
        for owner in &owners {
            self.loads[usize::from(*owner)] += 1;
        }
        for (moved, after) in self.moved.iter_mut().zip(&rings.after) {
            let pairs = hashes.iter().zip(&owners);
            *moved += pairs.filter(|(hash, owner)| after.owner(**hash) != **owner).count() as u64;
        }
        self.keys += hashes.len() as u64;
    }

    fn add(&mut self, other: &Self) {
        self.keys += other.keys;
        self.loads.iter_mut().zip(&other.loads).for_each(|(sum, load)| *sum += load);
        self.moved.iter_mut().zip(&other.moved).for_each(|(sum, moved)| *sum += moved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::cluster::Cluster;
    use crate::ring::keys::Keys;
    use crate::ring::kind::Kind;

    /// Golden: counted apart from this code, by `examples/python/placement.py`. Placement never changes, and so neither do these numbers.
    #[test]
    fn what_is_counted_of_a_small_cluster() {
        let cluster = Cluster::numbered(4, &[]).unwrap();
        for (kind, loads, moved) in [
            (Kind::Slots, [24_943, 24_783, 24_771, 25_503, 0], [19_916, 24_771, 15_091]),
            (Kind::Hashring { points: 160 }, [25_005, 21_159, 30_531, 23_305, 0], [21_245, 30_531, 16_463]),
            (Kind::Modulo, [25_088, 24_877, 25_045, 24_990, 0], [80_246, 75_111, 0]),
        ] {
            let source = Source::open(Keys::Generated(100_000)).unwrap();
            let rings = [Rings::build(kind, &cluster).unwrap()];
            let counted = count(&rings, &source, 5, &AtomicU64::new(0), |_| {}).unwrap();
            assert_eq!(counted, [Counted { keys: 100_000, loads: loads.to_vec(), moved }], "{kind}");
        }
    }
}
