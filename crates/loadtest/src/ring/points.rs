//! The classic ring of points for counting: the same owners as the crate `hashring` finds, found sooner. The space of hashes is cut into
//! about as many parts as there are points, and for each part it is known which point comes first, so a look-up takes a few steps and no
//! search. What a look-up costs its users is measured with the crate itself (`cost`).

use ringway_ring::{RingMember, numbered};

use super::cluster::Numbered;

/// Points in the order of their positions.
#[derive(Debug)]
pub(crate) struct Points {
    positions: Vec<u64>,
    nodes: Vec<u16>,
    /// For each part of the space the first point in it or behind it.
    firsts: Vec<u32>,
    /// How far a hash is shifted to give its part.
    shift: u32,
}

impl Points {
    /// So many points for each unit of weight.
    pub(crate) fn new(nodes: &Numbered, per_weight: u16) -> Self {
        let mut sorted = nodes.clone();
        sorted.sort_by(|one, other| one.1.id.cmp(&other.1.id));
        let numbered = sorted.iter().flat_map(|(number, node)| of(node, per_weight).map(|at| (at, *number)));
        let mut points: Vec<_> = numbered.collect();
        // Stable: of two points at one position the first by name is found, as in the crate.
        points.sort_by_key(|(at, _)| *at);
        let bits = points.len().next_power_of_two().trailing_zeros().max(1);
        let (positions, nodes): (Vec<u64>, Vec<u16>) = points.into_iter().unzip();
        let shift = u64::BITS - bits;
        let mut next = 0;
        let first = |part: u64| {
            while positions.get(next).is_some_and(|at| at >> shift < part) {
                next += 1;
            }
            next as u32
        };
        let firsts = (0..1_u64 << bits).map(first).collect();
        Self { positions, nodes, firsts, shift }
    }

    /// The node of the first point at or behind a hash, around the ring.
    #[inline]
    pub(crate) fn owner(&self, hash: u64) -> u16 {
        let mut next = self.firsts[(hash >> self.shift) as usize] as usize;
        while self.positions.get(next).is_some_and(|at| *at < hash) {
            next += 1;
        }
        self.nodes[if next == self.positions.len() { 0 } else { next }]
    }
}

/// Where a node's points are (docs/placement.md), so many for each unit of its weight.
pub(super) fn of(node: &RingMember, per_weight: u16) -> impl Iterator<Item = u64> + use<> {
    numbered(node.id.as_str(), 0..u32::from(per_weight) * u32::from(node.weight.get()))
}

#[cfg(test)]
mod tests {
    use ringway_ring::{Ring, SLOT_COUNT, Strategy, hash_of};

    use super::*;
    use crate::ring::cluster::Cluster;
    use crate::ring::cost::Crate;

    #[test]
    fn owners_are_those_that_the_crate_finds() {
        for (nodes, per_weight) in [(2, 1), (3, 7), (12, 160), (100, 20)] {
            let nodes = Cluster::numbered(nodes, &[]).unwrap().now();
            let (points, theirs) = (Points::new(&nodes, per_weight), Crate::new(&nodes, per_weight));
            let keys = (0..2_000_u32).map(|key| hash_of(&key.to_le_bytes()));
            for hash in keys.chain([0, u64::MAX]).chain(points.positions.iter().copied()) {
                assert_eq!(points.owner(hash), theirs.owner(hash), "{hash:x} of {per_weight}");
            }
        }
    }

    #[test]
    fn owners_are_those_of_the_strategy_of_ringway_in_the_middle_of_a_slot() {
        let cluster = Cluster::numbered(5, &[]).unwrap();
        let points = Points::new(&cluster.now(), 160);
        let ring = Ring::build(Strategy::Hashring, cluster.nodes().to_vec()).unwrap();
        for slot in (0..SLOT_COUNT as u64).step_by(97) {
            let owner = ring.table()[slot as usize];
            // The names of five nodes are in the order of their numbers.
            assert_eq!(points.owner(slot << 46 | 1 << 45), owner, "{slot}");
        }
    }
}
