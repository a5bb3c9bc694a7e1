//! A placement of numbered nodes by one of the strategies: the owner of a hash, by the node's number.

use ringway_ring::{Ring, RingError, Slot, Strategy};

use super::cluster::Numbered;
use super::kind::Kind;
use super::points::Points;

/// Who owns what.
#[derive(Debug)]
pub(crate) enum Placed {
    /// The number of the owner of each slot.
    Slots(Vec<u16>),
    Points(Points),
    /// The numbers of all nodes.
    Modulo(Vec<u16>),
}

impl Placed {
    /// Places these nodes.
    pub(crate) fn build(kind: Kind, nodes: &Numbered) -> Result<Self, RingError> {
        Ok(match kind {
            Kind::Slots => {
                let ring = Ring::build(Strategy::Slots, nodes.iter().map(|(_, node)| node.clone()))?;
                Self::Slots(numbers(&ring, nodes))
            }
            Kind::Hashring { points } => Self::Points(Points::new(nodes, points)),
            Kind::Modulo => Self::Modulo(nodes.iter().map(|(number, _)| *number).collect()),
        })
    }

    /// The number of the owner of keys with this hash.
    #[inline]
    pub(crate) fn owner(&self, hash: u64) -> u16 {
        match self {
            Self::Slots(owners) => owners[Slot::of_hash(hash).index() as usize],
            Self::Points(points) => points.owner(hash),
            Self::Modulo(nodes) => nodes[(hash % nodes.len() as u64) as usize],
        }
    }
}

/// The ring's table with the nodes' numbers instead of their places in the order of names.
fn numbers(ring: &Ring, nodes: &Numbered) -> Vec<u16> {
    let mut sorted: Vec<_> = nodes.iter().map(|(number, node)| (&node.id, *number)).collect();
    sorted.sort_unstable();
    ring.table().iter().map(|index| sorted[usize::from(*index)].1).collect()
}

#[cfg(test)]
mod tests {
    use ringway_ring::hash_of;

    use super::*;
    use crate::ring::cluster::{Change, Cluster};

    #[test]
    fn nodes_keep_their_numbers_whatever_the_order_of_their_names() {
        // n10 and n11 stand before n2.
        let cluster = Cluster::numbered(11, &[]).unwrap();
        let ring = Ring::build(Strategy::Slots, cluster.nodes().to_vec()).unwrap();
        let placed = Placed::build(Kind::Slots, &cluster.now()).unwrap();
        for key in (0..500).map(|key| format!("user-{key}")) {
            let owner = placed.owner(hash_of(key.as_bytes()));
            assert_eq!(Some(&cluster.nodes()[usize::from(owner)].id), ring.owner(&key), "{key}");
        }
    }

    #[test]
    fn only_what_must_move_moves_when_a_node_is_added() {
        let cluster = Cluster::numbered(11, &[]).unwrap();
        for (kind, is_consistent) in Kind::USUAL.into_iter().zip([true, true, true, true, false]) {
            let (now, after) = (cluster.now(), cluster.after(Change::Add));
            let (now, after) = (Placed::build(kind, &now).unwrap(), Placed::build(kind, &after).unwrap());
            let keys = (0..2_000_u32).map(|key| hash_of(&key.to_le_bytes()));
            let strays = keys.filter(|hash| ![now.owner(*hash), 11].contains(&after.owner(*hash))).count();
            assert_eq!(strays == 0, is_consistent, "{kind}: {strays}");
        }
    }
}
