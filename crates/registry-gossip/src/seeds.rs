//! The nodes to begin with. They are asked as long as nobody else is known, and one of them now and then forever, so that
//! two halves of a cluster find each other again. Names are resolved again and again, since what they name moves.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::seq::IteratorRandom as _;
use tokio::net::lookup_host;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::hub::Hub;

/// How often seeds are asked, at most this many at once.
const ASK_EVERY: Duration = Duration::from_millis(500);
const ASKED_MAX: usize = 16;
/// How often names are resolved while nobody is known, and otherwise.
const RESOLVE_ALONE: Duration = Duration::from_secs(2);
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// How long a name may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the seeds of a node.
pub(crate) struct SeedTask {
    hub: Arc<Hub>,
    seeds: Vec<String>,
    own: SocketAddr,
    addresses: BTreeSet<SocketAddr>,
    resolved: Instant,
}

impl SeedTask {
    /// For a node at `own`; `addresses` are those of the seeds at this moment.
    pub(crate) fn new(
        hub: Arc<Hub>,
        seeds: Vec<String>,
        own: SocketAddr,
        addresses: BTreeSet<SocketAddr>,
    ) -> Self {
        Self { hub, seeds, own, addresses, resolved: Instant::now() }
    }

    /// Runs until the end.
    pub(crate) async fn run(mut self, end: CancellationToken) {
        end.run_until_cancelled(self.ask_forever()).await;
    }

    async fn ask_forever(&mut self) {
        let census = self.hub.census();
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let alone = census.borrow().alive == 0;
            self.ask(if alone { ASKED_MAX } else { 1 });
            if self.resolved.elapsed() >= if alone { RESOLVE_ALONE } else { RESOLVE_EVERY } {
                self.addresses = resolve(&self.seeds).await;
                self.resolved = Instant::now();
            }
        }
    }

    fn ask(&self, count: usize) {
        let others = self.addresses.iter().copied().filter(|address| *address != self.own);
        for seed in others.sample(&mut rand::rng(), count) {
            self.hub.ask(seed);
        }
    }
}

/// The present addresses of all seeds.
pub(crate) async fn resolve(seeds: &[String]) -> BTreeSet<SocketAddr> {
    let mut addresses = BTreeSet::new();
    for seed in seeds {
        match timeout(RESOLVE_TIMEOUT, lookup_host(seed)).await {
            Ok(Ok(found)) => addresses.extend(found),
            Ok(Err(error)) => debug!(seed, %error, "a seed's name is not resolved"),
            Err(_) => debug!(seed, "a seed's name is not resolved in time"),
        }
    }
    addresses
}
