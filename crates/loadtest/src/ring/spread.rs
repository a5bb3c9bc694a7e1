//! How even loads are, pure. A node's load is told as a multiple of what it should have by its weight: 1 is ideal.

use super::cluster::Cluster;

/// The loads of all nodes in a few numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spread {
    /// From the emptiest node to the fullest.
    pub(crate) sorted: Vec<f64>,
    /// Of the loads around 1.
    pub(crate) stddev: f64,
}

impl Spread {
    /// The spread of so many keys on each node.
    pub(crate) fn of(loads: &[u64], cluster: &Cluster) -> Self {
        let mut sorted = multiples(loads, cluster);
        sorted.sort_by(f64::total_cmp);
        let variance = sorted.iter().map(|load| (load - 1.0).powi(2)).sum::<f64>() / sorted.len() as f64;
        Self { sorted, stddev: variance.sqrt() }
    }

    pub(crate) fn max(&self) -> f64 {
        self.percentile(100.0)
    }

    pub(crate) fn min(&self) -> f64 {
        self.sorted.first().copied().unwrap_or(f64::NAN)
    }

    /// The load that so many percent of the nodes do not exceed (nearest rank).
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.sorted.len() as f64).ceil() as usize;
        self.sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

/// Each node's load as a multiple of what it should have.
pub(crate) fn multiples(loads: &[u64], cluster: &Cluster) -> Vec<f64> {
    let keys: u64 = loads.iter().sum();
    let multiple = |(load, share): (&u64, f64)| *load as f64 / (keys as f64 * share);
    loads.iter().zip(cluster.shares()).map(multiple).collect()
}

/// The standard deviation that so many keys would have by chance alone if each node had exactly its share of all hashes: nobody can do
/// better, and a figure near to it says nothing about a strategy.
pub(crate) fn by_chance(keys: u64, cluster: &Cluster) -> f64 {
    let shares = cluster.shares();
    let variance = |share: &f64| (1.0 - share) / (keys as f64 * share);
    (shares.iter().map(variance).sum::<f64>() / shares.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_told_against_what_they_should_be() {
        for (loads, weights, [min, max, stddev]) in [
            (&[10, 10, 10][..], &[1, 1, 1][..], [1.0, 1.0, 0.0]),
            (&[5, 10, 15], &[1, 1, 1], [0.5, 1.5, (0.5_f64 / 3.0).sqrt()]),
            (&[10, 20, 30], &[1, 2, 3], [1.0, 1.0, 0.0]),
            (&[20, 20], &[1, 3], [2.0 / 3.0, 2.0, (10.0_f64 / 18.0).sqrt()]),
        ] {
            let spread = Spread::of(loads, &Cluster::of_weights(weights));
            for (found, expected) in [(spread.min(), min), (spread.max(), max), (spread.stddev, stddev)] {
                assert!((found - expected).abs() < 1e-9, "{loads:?} {weights:?}: {spread:?}");
            }
        }
    }

    #[test]
    fn percentiles_are_loads_of_nodes() {
        let spread = Spread { sorted: (1..=20).map(f64::from).collect(), stddev: 0.0 };
        let found = [0.0, 5.0, 50.0, 95.0, 99.0, 100.0].map(|percent| spread.percentile(percent));
        assert_eq!(found, [1.0, 1.0, 10.0, 19.0, 20.0, 20.0]);
    }

    #[test]
    fn chance_is_smaller_with_more_keys() {
        let chance = |keys| by_chance(keys, &Cluster::of_weights(&[1, 1, 1, 1]));
        assert!((chance(300) - 0.1).abs() < 1e-9);
        assert!((chance(30_000) - 0.01).abs() < 1e-9);
    }
}
