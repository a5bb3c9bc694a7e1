//! The nodes over which keys are spread, the changes that are tried, and what an ideal placement would make of them. Pure.

use std::collections::BTreeSet;

use ringway_ring::{MemberId, RingMember, Weight};

/// How many nodes there may be.
pub const NODES_MAX: usize = 1_000;

/// Nodes, at least two, with distinct names and weights above 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    nodes: Vec<RingMember>,
}

/// Why there is no such cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Too few or too many.
    #[error("{0} nodes: there must be 2 to {NODES_MAX}")]
    Count(usize),
    /// A name twice.
    #[error("node {0} is given twice")]
    Twice(MemberId),
    /// A weight of 0.
    #[error("node {0} has weight 0: it would have no keys, so leave it out")]
    Weightless(MemberId),
}

/// What happens to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// One more node, of the first one's weight.
    Add,
    /// The one in the middle leaves.
    Remove,
    /// The first one gets twice its weight.
    Reweigh,
}

/// Nodes as they are placed: each with its number, which changes keep.
pub(crate) type Numbered = Vec<(u16, RingMember)>;

impl Change {
    pub(crate) const ALL: [Self; 3] = [Self::Add, Self::Remove, Self::Reweigh];

    /// Its name in figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Reweigh => "reweigh",
        }
    }
}

impl Cluster {
    /// These nodes.
    ///
    /// # Errors
    /// When they are no cluster.
    pub fn new(nodes: Vec<RingMember>) -> Result<Self, ClusterError> {
        if !(2..=NODES_MAX).contains(&nodes.len()) {
            return Err(ClusterError::Count(nodes.len()));
        }
        let mut names = BTreeSet::new();
        for node in &nodes {
            if node.weight == Weight::ZERO {
                return Err(ClusterError::Weightless(node.id.clone()));
            }
            if !names.insert(&node.id) {
                return Err(ClusterError::Twice(node.id.clone()));
            }
        }
        Ok(Self { nodes })
    }

    /// Nodes `n1`, `n2`, … with these weights, over and over; of weight 1 if there are none.
    ///
    /// # Errors
    /// When they are no cluster.
    pub fn numbered(count: usize, weights: &[Weight]) -> Result<Self, ClusterError> {
        if count > NODES_MAX {
            return Err(ClusterError::Count(count));
        }
        let usual = [Weight::default()];
        let weights = if weights.is_empty() { &usual } else { weights };
        let nodes = weights.iter().cycle().zip(1..=count);
        Self::new(nodes.map(|(weight, number)| RingMember::new(name(number)).weighing(*weight)).collect())
    }

    /// One node for each weight.
    #[cfg(test)]
    pub(crate) fn of_weights(weights: &[u32]) -> Self {
        let weights: Vec<_> = weights.iter().map(|weight| Weight::new(*weight).unwrap()).collect();
        Self::numbered(weights.len(), &weights).unwrap()
    }

    /// All nodes.
    pub(crate) fn nodes(&self) -> &[RingMember] {
        &self.nodes
    }

    /// The weights of all together.
    pub(crate) fn weight(&self) -> u32 {
        self.nodes.iter().map(|node| u32::from(node.weight.get())).sum()
    }

    /// All, and the one that is added.
    pub(crate) fn nodes_after(&self) -> Vec<RingMember> {
        let mut nodes = self.nodes.clone();
        let taken = |id: &MemberId| self.nodes.iter().any(|node| node.id == *id);
        let id = (self.nodes.len() + 1..).map(name).find(|id| !taken(id)).expect("numbers have no end");
        nodes.push(RingMember::new(id).weighing(self.nodes[0].weight));
        nodes
    }

    /// The nodes as they are.
    pub(crate) fn now(&self) -> Numbered {
        (0..).zip(self.nodes.iter().cloned()).collect()
    }

    /// The nodes after a change.
    pub(crate) fn after(&self, change: Change) -> Numbered {
        let mut nodes = self.now();
        match change {
            Change::Add => nodes = (0..).zip(self.nodes_after()).collect(),
            Change::Remove => drop(nodes.remove(self.removed())),
            Change::Reweigh => nodes[0].1.weight = self.doubled(),
        }
        nodes
    }

    /// What a change is, for people.
    pub(crate) fn told(&self, change: Change) -> String {
        match change {
            Change::Add => "one node more".to_owned(),
            Change::Remove => format!("without {}", self.nodes[self.removed()].id),
            Change::Reweigh => {
                let node = &self.nodes[0];
                format!("{}: weight {} to {}", node.id, node.weight, self.doubled())
            }
        }
    }

    /// The part of the keys that must move for the loads to follow the weights, and no more.
    pub(crate) fn ideal(&self, change: Change) -> f64 {
        let (now, after) = (shares(&self.now()), shares(&self.after(change)));
        let share =
            |shares: &[(u16, f64)], node| shares.iter().find(|it| it.0 == node).map_or(0.0, |it| it.1);
        let gained = after.iter().map(|(node, after)| (after - share(&now, *node)).max(0.0));
        gained.sum()
    }

    /// The part of the keys that each node should have.
    pub(crate) fn shares(&self) -> Vec<f64> {
        shares(&self.now()).into_iter().map(|(_, share)| share).collect()
    }

    fn removed(&self) -> usize {
        self.nodes.len() / 2
    }

    fn doubled(&self) -> Weight {
        let doubled = Weight::new(2 * u32::from(self.nodes[0].weight.get()));
        doubled.unwrap_or(Weight::MAX)
    }
}

fn shares(nodes: &Numbered) -> Vec<(u16, f64)> {
    let weight = |node: &RingMember| f64::from(node.weight.get());
    let all: f64 = nodes.iter().map(|(_, node)| weight(node)).sum();
    nodes.iter().map(|(number, node)| (*number, weight(node) / all)).collect()
}

fn name(number: usize) -> MemberId {
    MemberId::new(format!("n{number}")).expect("a short name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_moves_than_the_weights_ask_for() {
        for (weights, change, expected) in [
            (&[1, 1, 1][..], Change::Add, 1.0 / 4.0),
            (&[1, 1, 1], Change::Remove, 1.0 / 3.0),
            (&[1, 1, 1], Change::Reweigh, 2.0 / 4.0 - 1.0 / 3.0),
            (&[2, 3, 5], Change::Add, 2.0 / 12.0),
            (&[2, 3, 5], Change::Remove, 3.0 / 10.0),
            (&[2, 3, 5], Change::Reweigh, 4.0 / 12.0 - 2.0 / 10.0),
            (&[100, 100], Change::Reweigh, 0.0),
        ] {
            let ideal = Cluster::of_weights(weights).ideal(change);
            assert!((ideal - expected).abs() < 1e-12, "{weights:?} {change:?}: {ideal}");
        }
    }

    #[test]
    fn changes_keep_the_numbers_of_nodes() {
        let cluster = Cluster::of_weights(&[1, 2, 3]);
        let after = |change| {
            let nodes = cluster.after(change);
            nodes
                .iter()
                .map(|(number, it)| format!("{number}:{}={}", it.id, it.weight))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(after(Change::Add), "0:n1=1 1:n2=2 2:n3=3 3:n4=1");
        assert_eq!(after(Change::Remove), "0:n1=1 2:n3=3");
        assert_eq!(after(Change::Reweigh), "0:n1=2 1:n2=2 2:n3=3");
    }

    #[test]
    fn a_node_that_is_added_has_a_name_of_its_own() {
        let nodes = ["n3", "n4"].map(|id| RingMember::new(MemberId::new(id).unwrap()));
        let after = Cluster::new(nodes.to_vec()).unwrap().nodes_after();
        assert_eq!(after[2].id.as_str(), "n5");
    }

    #[test]
    fn what_is_no_cluster_is_refused() {
        let refused = |nodes: &[(&str, u32)]| {
            let node = |(id, weight): &(&str, u32)| {
                RingMember::new(MemberId::new(id).unwrap()).weighing(Weight::new(*weight).unwrap())
            };
            Cluster::new(nodes.iter().map(node).collect()).unwrap_err().to_string()
        };
        assert_eq!(refused(&[("a", 1)]), "1 nodes: there must be 2 to 1000");
        assert_eq!(refused(&[("a", 1), ("a", 2)]), "node a is given twice");
        assert_eq!(
            refused(&[("a", 1), ("b", 0)]),
            "node b has weight 0: it would have no keys, so leave it out"
        );
        assert_eq!(Cluster::numbered(1_001, &[]), Err(ClusterError::Count(1_001)));
    }
}
