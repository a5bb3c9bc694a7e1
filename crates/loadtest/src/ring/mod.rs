//! `load ring`: how evenly keys are spread over nodes, how many move when the nodes change, and what a look-up costs, for several
//! strategies side by side. Nothing is loaded but this process: rings are built here, and every key is looked up in all of them.

mod cluster;
mod cost;
mod count;
mod keys;
mod kind;
mod picture;
mod placed;
mod points;
mod spread;
mod told;

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

pub use cluster::{Cluster, ClusterError, NODES_MAX};
pub use keys::{KEYS_MAX, Keys, KeysError};
pub use kind::{Kind, KindError};

use crate::progress::{Progress, bar};
use crate::report::{Report, shown};
use cluster::Change;
use cost::Cost;
use count::{Counted, count};
use keys::Source;
use placed::Placed;
use spread::Spread;

/// How many points a ring may have: about 200 MB for all that is made of it.
const POINTS_MAX: u64 = 4_000_000;

/// How often the progress is shown.
const BEAT: Duration = Duration::from_millis(100);

/// What is to be measured.
#[derive(Debug)]
pub struct RingConfig {
    /// Over which nodes keys are spread.
    pub cluster: Cluster,
    /// By which strategies, in the order of the report; none twice.
    pub kinds: Vec<Kind>,
    /// Which keys.
    pub keys: Keys,
}

/// What was measured of one strategy.
#[derive(Debug)]
pub(crate) struct Measured {
    kind: Kind,
    /// How many keys each node has.
    loads: Vec<u64>,
    spread: Spread,
    /// The part of the keys that each change moved.
    moved: [f64; Change::ALL.len()],
    cost: Cost,
    /// Owners at places that are spread evenly over all hashes: now, and with one node more.
    around: Vec<[u16; 2]>,
}

/// What was measured of all.
#[derive(Debug)]
pub(crate) struct Outcome {
    cluster: Cluster,
    keys: String,
    count: u64,
    kinds: Vec<Measured>,
}

/// The names of all figures that the report will have.
pub fn figure_names(config: &RingConfig) -> Vec<String> {
    told::names(&config.kinds)
}

/// Builds the rings, looks every key up in them, and takes the time.
///
/// # Errors
/// When keys cannot be read, or there are none.
pub fn run(config: RingConfig, progress: &mut Progress) -> anyhow::Result<Report> {
    config.check()?;
    let RingConfig { cluster, kinds, keys } = config;
    let names = keys.to_string();
    let source = Source::open(keys)?;
    let rings: Vec<_> = kinds
        .iter()
        .map(|kind| {
            progress.show(format_args!("{kind}: the ring is built, and once again for each change"));
            Rings::build(*kind, &cluster)
        })
        .collect::<Result<_, _>>()?;
    let counted = counted(&rings, &source, cluster.nodes_after().len(), progress)?;
    let measure = |(rings, (kind, counted)): (Rings, (&Kind, Counted))| {
        progress.show(format_args!("{kind}: the time is taken"));
        let spread = Spread::of(&counted.loads[..cluster.nodes().len()], &cluster);
        Ok(Measured {
            kind: *kind,
            spread,
            moved: counted.moved.map(|moved| moved as f64 / counted.keys as f64),
            loads: counted.loads,
            cost: cost::of(*kind, &cluster)?,
            around: rings.around(),
        })
    };
    let count = counted.first().map_or(0, |counted| counted.keys);
    let kinds: anyhow::Result<_> = rings.into_iter().zip(kinds.iter().zip(counted)).map(measure).collect();
    Ok(told::report(&Outcome { cluster, keys: names, count, kinds: kinds? }))
}

impl RingConfig {
    /// Whether there is memory for its rings.
    fn check(&self) -> anyhow::Result<()> {
        let weight = self.cluster.weight();
        for kind in &self.kinds {
            if let Kind::Hashring { points } = kind {
                let all = u64::from(*points) * u64::from(weight);
                anyhow::ensure!(
                    all <= POINTS_MAX,
                    "{kind} has {} points for a weight of {weight} together, and {} is the most: take fewer points or smaller weights",
                    shown(all as f64),
                    shown(POINTS_MAX as f64)
                );
            }
        }
        Ok(())
    }
}

/// A strategy's ring, and the rings after each change.
#[derive(Debug)]
struct Rings {
    now: Placed,
    after: [Placed; Change::ALL.len()],
}

impl Rings {
    fn build(kind: Kind, cluster: &Cluster) -> anyhow::Result<Self> {
        let place = |change| Placed::build(kind, &cluster.after(change));
        let [add, remove, reweigh] = Change::ALL.map(place);
        Ok(Self { now: Placed::build(kind, &cluster.now())?, after: [add?, remove?, reweigh?] })
    }

    /// Owners now and with one node more, in as many places as a picture shows.
    fn around(&self) -> Vec<[u16; 2]> {
        picture::places().map(|hash| [self.now.owner(hash), self.after[0].owner(hash)]).collect()
    }
}

/// Looks up every key in every ring, and shows how far it is.
fn counted(
    rings: &[Rings],
    source: &Source,
    nodes: usize,
    progress: &mut Progress,
) -> anyhow::Result<Vec<Counted>> {
    let (done, began, expected) = (AtomicU64::new(0), Instant::now(), source.expected());
    let counted = count(rings, source, nodes, &done, |done| {
        let rate = done as f64 / began.elapsed().as_secs_f64().max(1e-3);
        progress.show(match expected {
            Some(all) => {
                format!("{}  {} keys, {}/s", bar(done as f64 / all as f64), shown(done as f64), shown(rate))
            }
            None => format!("{} keys, {}/s", shown(done as f64), shown(rate)),
        });
    })?;
    anyhow::ensure!(
        counted.iter().all(|counted| counted.keys > 0),
        "there are no keys: one is expected on each line"
    );
    Ok(counted)
}
