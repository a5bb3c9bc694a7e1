//! `load connect`: opens sockets at a rate and holds them: how long their handshakes took, why some failed, and what a connection costs
//! the processes that serve it, and the kernel.

mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::beat::{Curve, Percentiles, Rate, beside};
use crate::bounds::Reach;
use crate::clients::{Connections, Crowd};
use crate::machine::Watched;
use crate::plan::{ClientsConfig, WatchConfig};
use crate::progress::Progress;
use crate::report::Report;
use crate::shown::names;
use crate::traffic::Recorded;

/// The first clients do not count in the memory for each: with them come threads, pools and caches, once. So many at the most,
const FIRST_MAX: usize = 500;
/// and so large a part of all at the most.
const FIRST_PART: usize = 5;

/// How long servers may take to come to rest behind the last handshake, before their memory is read.
const REST: Duration = Duration::from_millis(500);

/// What is to be measured.
#[derive(Debug)]
pub struct ConnectConfig {
    /// Who connects.
    pub clients: ClientsConfig,
    /// The processes whose memory is measured.
    pub watch: WatchConfig,
    /// Whether other machines may be loaded.
    pub reach: Reach,
    /// How long the sockets stay open once all are.
    pub hold: Duration,
}

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) clients: usize,
    /// How long it took until the last handshake was over.
    pub(crate) ramp: Duration,
    pub(crate) opened: u64,
    pub(crate) handshakes: Recorded,
    pub(crate) failures: BTreeMap<String, u64>,
    /// How sockets ended while they should have been held.
    pub(crate) ends: BTreeMap<String, u64>,
    pub(crate) source_addresses: usize,
    pub(crate) names: Vec<String>,
    pub(crate) memory: Option<Memory>,
    pub(crate) curves: Curves,
}

/// What was there when the first clients were connected, and when all were.
#[derive(Debug)]
pub(crate) struct Memory {
    first: (u64, Watched),
    all: (u64, Watched),
}

/// What went on over the time.
#[derive(Debug, Default)]
pub(crate) struct Curves {
    pub(crate) open: Curve,
    pub(crate) rate: Curve,
    pub(crate) handshakes: Percentiles,
}

/// What is looked at while it runs.
struct Look<'a> {
    connections: Arc<Connections>,
    began: Instant,
    rate: Rate,
    curves: Curves,
    progress: &'a mut Progress,
}

impl ConnectConfig {
    /// Carries it out.
    ///
    /// # Errors
    /// When nothing could be measured: the reason in words.
    pub async fn run(self, progress: &mut Progress) -> anyhow::Result<Report> {
        Ok(run(self, progress).await?.report())
    }

    /// The names of all figures of the report.
    pub fn figure_names() -> Vec<String> {
        names(&Outcome::default().report())
    }
}

/// Connects all, holds them, and lets them go.
async fn run(config: ConnectConfig, progress: &mut Progress) -> anyhow::Result<Outcome> {
    let ConnectConfig { clients, watch, reach, hold } = config;
    reach.check("the address of --url", clients.target.address)?;
    let watch = watch.watch(Some(&clients.target), None)?;
    let (count, per_second) = (clients.count, clients.per_second);
    let arrivals = clients.arrivals();
    let mut crowd = clients.crowd(arrivals)?;
    let mut look = Look::new(&crowd, progress);
    let first = (count / FIRST_PART).min(FIRST_MAX);
    beside(crowd.gather(0..first, per_second), || look.once()).await?;
    tokio::time::sleep(REST).await;
    let few = (crowd.connections.open_now(), watch.read());
    let began = Instant::now();
    beside(crowd.gather(first..count, per_second), || look.once()).await?;
    let ramp = began.elapsed();
    beside(tokio::time::sleep(hold.max(REST)), || look.once()).await;
    let connections = Arc::clone(&crowd.connections);
    let memory = Memory { first: few, all: (connections.open_now(), watch.read()) };
    let (ends, curves) = (connections.ends(), look.curves);
    let source_addresses = crowd.source_addresses();
    crowd.leave().await;
    Ok(Outcome {
        clients: count,
        ramp: ramp.mul_f64(count as f64 / (count - first).max(1) as f64),
        opened: connections.opened_so_far(),
        handshakes: connections.handshakes.merged(),
        failures: connections.failures(),
        ends,
        source_addresses,
        names: watch.names().map(ToOwned::to_owned).collect(),
        memory: Some(memory),
        curves,
    })
}

impl Outcome {
    /// Handshakes that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Sockets that ended while they should have been held.
    pub(crate) fn dropped(&self) -> u64 {
        self.ends.values().sum()
    }
}

impl Memory {
    /// Bytes for each connection that came behind the first ones; none: none came.
    pub(crate) fn each(&self, of: impl Fn(&Watched) -> u64) -> Option<f64> {
        let ((few, before), (many, after)) = (&self.first, &self.all);
        let more = many.checked_sub(*few).filter(|more| *more > 0)?;
        Some((of(after) as f64 - of(before) as f64) / more as f64)
    }
}

impl<'a> Look<'a> {
    fn new(crowd: &Crowd, progress: &'a mut Progress) -> Self {
        Self {
            connections: Arc::clone(&crowd.connections),
            began: Instant::now(),
            rate: Rate::begin(0),
            curves: Curves::default(),
            progress,
        }
    }

    fn once(&mut self) {
        let (at, open) = (self.began.elapsed(), self.connections.open_now());
        let rate = self.rate.of(self.connections.opened_so_far());
        let percentiles = self.curves.handshakes.look(at, &self.connections.handshakes);
        let failed: u64 = self.connections.failures().values().sum();
        self.curves.open.push(at, open as f64);
        self.curves.rate.push(at, rate);
        self.progress
            .show(format_args!("{open} open, {rate:.0}/s, handshakes {percentiles}, {failed} failed"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Kernel, Reading};

    fn watched(resident: u64) -> Watched {
        let reading = Reading { resident, ..Reading::default() };
        Watched { servers: vec![reading], own: reading, kernel: Kernel::default() }
    }

    #[test]
    fn the_first_connections_do_not_count() {
        let memory = Memory { first: (100, watched(1_000_000)), all: (1_100, watched(5_000_000)) };
        assert_eq!(memory.each(|watched| watched.servers[0].resident), Some(4_000.0));
        let none = Memory { first: (100, watched(1)), all: (100, watched(2)) };
        assert_eq!(none.each(|watched| watched.servers[0].resident), None);
    }
}
