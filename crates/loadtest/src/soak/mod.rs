//! `load soak`: a mixed life for a long time. Some clients stay, others come and go, messages flow to users and groups, and the ring
//! changes; meanwhile it is watched whether anything grows that should not, and in the end whether anything is left behind.

mod changes;
mod churn;
mod gauge;
mod leak;
mod report;
mod slope;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use ringway_sender::Sender;
use tokio::signal::ctrl_c;

use crate::beat::{Percentiles, Rate, beside};
use crate::bounds::Reach;
use crate::clients::Connections;
use crate::machine::MetricsUrl;
use crate::plan::{ClientsConfig, ClusterConfig, WatchConfig, check_node};
use crate::progress::Progress;
use crate::report::Report;
use crate::shown::names;
use crate::threshold::{Comparison, Requirement};
use crate::traffic::{Arrivals, Cargo, Flaws, Lines, Manner, Pace, Phase, Pump, Recorded, Tally, Told};
use changes::Changes;
use churn::Churn;
use gauge::Gauge;
pub(crate) use gauge::Left;
pub(crate) use leak::{Kind, Series};

/// How long a message may take to arrive once everything is answered, until it counts as lost.
const ARRIVAL_WITHIN: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Debug)]
pub struct SoakConfig {
    /// Who stays.
    pub clients: ClientsConfig,
    /// Who comes and goes.
    pub churn: ChurnConfig,
    /// Where the sends go.
    pub cluster: ClusterConfig,
    /// The processes that are watched.
    pub watch: WatchConfig,
    /// Where nodes tell how many tasks they have; nowhere: at the clients' address, if it tells.
    pub metrics: Vec<MetricsUrl>,
    /// Whether other machines may be loaded.
    pub reach: Reach,
    /// What is sent.
    pub cargo: Cargo,
    /// How many messages in a second, half of them to users and half to groups.
    pub sends_per_second: f64,
    /// How often the ring changes; none: never.
    pub change_every: Option<Duration>,
    /// For how long.
    pub duration: Duration,
}

/// Clients that come and go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChurnConfig {
    /// How many come in a second, and how many go.
    pub per_second: f64,
    /// How many of them are there together.
    pub at_once: usize,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) lived: Duration,
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
    pub(crate) told: Told,
    pub(crate) flaws: Flaws,
    pub(crate) strange: u64,
    pub(crate) latency: Recorded,
    pub(crate) handshakes: Recorded,
    pub(crate) failures: BTreeMap<String, u64>,
    pub(crate) ends: BTreeMap<String, u64>,
    /// Ring changes that were made, and those that were not, by reason.
    pub(crate) changes: u64,
    pub(crate) change_failures: BTreeMap<String, u64>,
    /// What could have grown.
    pub(crate) series: Vec<Series>,
    /// What could have been left behind.
    pub(crate) left: Vec<Left>,
    pub(crate) percentiles: Percentiles,
}

/// Those who send.
struct Senders {
    users: Pump,
    groups: Pump,
    arrivals: Arc<Arrivals>,
    tally: Arc<Tally>,
}

/// What is looked at while it runs.
struct Look<'a> {
    arrivals: Arc<Arrivals>,
    tally: Arc<Tally>,
    connections: Arc<Connections>,
    began: Instant,
    rates: (Rate, Rate),
    percentiles: Percentiles,
    progress: &'a mut Progress,
}

impl SoakConfig {
    /// Carries it out.
    ///
    /// # Errors
    /// When nothing could be measured: the reason in words.
    pub async fn run(self, progress: &mut Progress) -> anyhow::Result<Report> {
        Ok(Box::pin(run(self, progress)).await?.report())
    }

    /// The names of all figures of the report.
    pub fn figure_names() -> Vec<String> {
        names(&Outcome::default().report())
    }
}

/// Connects those who stay, lets everything happen, has all leave, and looks at what is left.
async fn run(config: SoakConfig, progress: &mut Progress) -> anyhow::Result<Outcome> {
    config.check()?;
    let mut gauge = config.gauge().await?;
    let before = gauge.read().await;
    let sender = config.cluster.sender(config.cargo.under_way_max).await?;
    let mut changes = config.change_every.map(|every| Changes::new(&config.cluster, &sender, every));
    let arrivals = config.clients.arrivals();
    let mut senders = Senders::new(&sender, &config, &arrivals);
    let SoakConfig { clients, churn, sends_per_second, duration, .. } = config;
    let stay = clients.count;
    let mut crowd = clients.connected(Arc::clone(&arrivals), progress).await?;
    let connections = Arc::clone(&crowd.connections);
    let mut look = Look::new(&senders, &connections, progress);
    let began = Instant::now();
    let life = async {
        tokio::try_join!(
            senders.send(sends_per_second, duration),
            Churn::new(&mut crowd, stay, churn).run(duration),
            changed(changes.as_mut(), began + duration),
            gauge.watch(&connections, duration),
        )
    };
    let ended = tokio::select! {
        ended = Box::pin(beside(life, || look.once())) => ended.map(|_| ()),
        _ = ctrl_c() => Err(anyhow!("it was broken off")),
    };
    if let (Err(_), Some(changes)) = (&ended, &changes) {
        changes.take_back().await;
    }
    ended?;
    let lived = began.elapsed();
    senders.arrived().await;
    let (ends, percentiles) = (connections.ends(), look.percentiles);
    crowd.leave().await;
    let (changes, change_failures) = changes.map(Changes::made).unwrap_or_default();
    let (tally, told) = (Arc::clone(&senders.tally), senders.tally.told());
    let flaws = senders.flaws(&told);
    // Their connections are none that is left behind.
    drop((senders, sender));
    let left = gauge.left(&before).await;
    Ok(Outcome {
        lived,
        sent: tally.sent(),
        arrived: arrivals.count(),
        flaws,
        told,
        strange: arrivals.strange(),
        latency: arrivals.latency.merged(),
        handshakes: connections.handshakes.merged(),
        failures: connections.failures(),
        ends,
        changes,
        change_failures,
        series: gauge.series(),
        left,
        percentiles,
    })
}

async fn changed(changes: Option<&mut Changes>, until: Instant) -> anyhow::Result<()> {
    match changes {
        Some(changes) => changes.run(until).await,
        None => Ok(()),
    }
}

impl SoakConfig {
    /// What every soak is required to be, without being asked.
    pub fn requirements(&self) -> Vec<Requirement> {
        let is_ordered = self.cargo.manner == Manner::Publish;
        let order = is_ordered.then_some("out_of_order");
        let none =
            ["leaks", "lost", "repeated", "strange", "errors", "failed", "dropped", "ring_change_failures"];
        let names = none.into_iter().chain(order);
        names
            .map(|name| Requirement { name: name.to_owned(), comparison: Comparison::AtMost, limit: 0.0 })
            .collect()
    }

    fn check(&self) -> anyhow::Result<()> {
        let Self { clients, cluster, reach, metrics, .. } = self;
        reach.check("the address of --url", clients.target.address)?;
        check_node(*reach, &cluster.node)?;
        for url in metrics {
            reach.check("the address of --metrics", url.address)?;
        }
        ensure!(
            clients.identities.user.tells_clients_apart(),
            "--user has no {{n}}: all clients would be one user"
        );
        clients.check_groups()
    }

    /// With a sender of its own: what is watched before and after all others are there.
    async fn gauge(&self) -> anyhow::Result<Gauge> {
        let (target, sender) = (&self.clients.target, self.cluster.sender(1).await?);
        let watch = self.watch.watch(Some(target), Some(&self.cluster.node))?;
        let beside = vec![MetricsUrl::beside(target.address)];
        let metrics = if self.metrics.is_empty() { beside } else { self.metrics.clone() };
        Ok(Gauge::new(watch, sender, metrics))
    }
}

impl Senders {
    fn new(sender: &Sender, config: &SoakConfig, arrivals: &Arc<Arrivals>) -> Self {
        let SoakConfig { clients, cargo, .. } = config;
        let tally = Arc::new(Tally::default());
        let pump = |lines| {
            Pump::new(sender.clone(), cargo.clone(), lines, (Arc::clone(arrivals), Arc::clone(&tally)))
        };
        let users = pump(Lines::users(clients.users()));
        let groups = pump(Lines::groups(clients.groups(), clients.count));
        Self { users, groups, arrivals: Arc::clone(arrivals), tally }
    }

    async fn send(&mut self, per_second: f64, duration: Duration) -> anyhow::Result<()> {
        let pace = Pace::PerSecond(per_second / 2.0);
        let users = self.users.run(Phase::Measured, pace, duration);
        let groups = self.groups.run(Phase::Measured, pace, duration);
        tokio::try_join!(users, groups)?;
        self.users.settle().await;
        self.groups.settle().await;
        Ok(())
    }

    /// Waits until everything has arrived of which the senders were not told otherwise, or will not.
    async fn arrived(&self) {
        let (told, deadline) = (self.tally.told(), Instant::now() + ARRIVAL_WITHIN);
        while self.flaws(&told).lost > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn flaws(&self, told: &Told) -> Flaws {
        let sent = |stream| self.users.lines.sent(stream) + self.groups.lines.sent(stream);
        self.arrivals.flaws(sent, |stream, number| told.excuses(stream, number))
    }
}

impl<'a> Look<'a> {
    fn new(senders: &Senders, connections: &Arc<Connections>, progress: &'a mut Progress) -> Self {
        Self {
            arrivals: Arc::clone(&senders.arrivals),
            tally: Arc::clone(&senders.tally),
            connections: Arc::clone(connections),
            began: Instant::now(),
            rates: (Rate::begin(0), Rate::begin(connections.opened_so_far())),
            percentiles: Percentiles::default(),
            progress,
        }
    }

    fn once(&mut self) {
        let (at, open) = (self.began.elapsed(), self.connections.open_now());
        let sent = self.rates.0.of(self.tally.sent());
        let opened = self.rates.1.of(self.connections.opened_so_far());
        let percentiles = self.percentiles.look(at, &self.arrivals.latency);
        let (errors, seconds) = (self.tally.errors(), at.as_secs());
        self.progress.show(format_args!(
            "{seconds} s: {open} clients, {opened:.0}/s come, {sent:.0}/s sent, {percentiles}, {errors} errors"
        ));
    }
}
