//! `load send`: messages to users, groups or all, at a rate or as fast as they are answered, and what came of each: when it arrived,
//! at whom, in which order, and what its sender was told.

mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::beat::{Curve, Percentiles, Rate, beside};
use crate::bounds::Reach;
use crate::machine::Watch;
use crate::plan::{ClientsConfig, ClusterConfig, WatchConfig, check_node};
use crate::progress::Progress;
use crate::report::Report;
use crate::shown::{Used, names};
use crate::traffic::{
    Addressees, Arrivals, Cargo, Flaws, Lines, Manner, Pace, Phase, Pump, Recorded, Tally, Told,
};

/// How long a message may take to arrive once everything is answered, until it counts as lost.
const ARRIVAL_WITHIN: Duration = Duration::from_secs(10);

/// What is to be measured.
#[derive(Debug)]
pub struct SendConfig {
    /// Who receives.
    pub clients: ClientsConfig,
    /// Where the sends go.
    pub cluster: ClusterConfig,
    /// The processes whose processor time is measured.
    pub watch: WatchConfig,
    /// Whether other machines may be loaded.
    pub reach: Reach,
    /// To whom is sent.
    pub addressees: Addressees,
    /// What is sent, and through which call.
    pub cargo: Cargo,
    /// How fast.
    pub pace: Pace,
    /// For how long it is measured.
    pub duration: Duration,
    /// For how long is sent before.
    pub warm_up: Duration,
}

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What was asked for, in names and words.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// For how long was sent, what was measured.
    pub(crate) sending: Duration,
    /// Until everything had arrived.
    pub(crate) arriving: Duration,
    pub(crate) measured: u64,
    /// Due, but not sent, since too many were unanswered.
    pub(crate) unsent: u64,
    /// Arrivals while it was measured.
    pub(crate) arrived: u64,
    pub(crate) strange: u64,
    pub(crate) flaws: Flaws,
    pub(crate) told: Told,
    pub(crate) latency: Recorded,
    pub(crate) receipt_latency: Recorded,
    pub(crate) lag: Recorded,
    pub(crate) used: Used,
    /// Sockets that ended.
    pub(crate) ends: BTreeMap<String, u64>,
    pub(crate) curves: Curves,
}

/// What went on over the time.
#[derive(Debug, Default)]
pub(crate) struct Curves {
    pub(crate) sent: Curve,
    pub(crate) arrived: Curve,
    pub(crate) latency: Percentiles,
}

/// A running measurement.
struct Sending {
    pump: Pump,
    arrivals: Arc<Arrivals>,
    tally: Arc<Tally>,
    watch: Watch,
}

/// What is looked at while it runs.
struct Look<'a> {
    arrivals: Arc<Arrivals>,
    tally: Arc<Tally>,
    began: Instant,
    rates: (Rate, Rate),
    curves: Curves,
    progress: &'a mut Progress,
}

impl SendConfig {
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

/// Connects the clients, sends, and lets them go.
async fn run(config: SendConfig, progress: &mut Progress) -> anyhow::Result<Outcome> {
    config.check()?;
    let facts = config.facts();
    let SendConfig { clients, cluster, watch, addressees, cargo, pace, duration, warm_up, .. } = config;
    let watch = watch.watch(Some(&clients.target), Some(&cluster.node))?;
    let sender = cluster.sender(cargo.under_way_max).await?;
    let (lines, arrivals, tally) =
        (lines(addressees, &clients), clients.arrivals(), Arc::new(Tally::default()));
    let books = (Arc::clone(&arrivals), Arc::clone(&tally));
    let pump = Pump::new(sender, cargo, lines, books);
    let mut sending = Sending { pump, arrivals, tally, watch };
    let crowd = clients.connected(Arc::clone(&sending.arrivals), progress).await?;
    let mut look = Look::new(&sending, progress);
    let time = Time { pace, duration, warm_up };
    let outcome = beside(sending.measure(time), || look.once()).await?;
    let (ends, curves) = (crowd.connections.ends(), look.curves);
    crowd.leave().await;
    Ok(Outcome { facts, ends, curves, ..outcome })
}

/// When is sent.
#[derive(Clone, Copy, Debug)]
struct Time {
    pace: Pace,
    duration: Duration,
    warm_up: Duration,
}

impl SendConfig {
    fn check(&self) -> anyhow::Result<()> {
        let Self { clients, cluster, reach, addressees, .. } = self;
        reach.check("the address of --url", clients.target.address)?;
        check_node(*reach, &cluster.node)?;
        ensure!(
            clients.identities.user.tells_clients_apart(),
            "--user has no {{n}}: all clients would be one user, and who got what could not be told apart"
        );
        if *addressees == Addressees::Groups {
            clients.check_groups()?;
        }
        Ok(())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self { clients, addressees, cargo, pace, duration, .. } = self;
        let to = match addressees {
            Addressees::Users => format!("{} users, one after the other", clients.count),
            Addressees::Groups => format!("{} groups of {} clients", clients.groups().len(), clients.count),
            Addressees::All => format!("all of {} clients", clients.count),
        };
        let rate = match pace {
            Pace::PerSecond(rate) => format!("{rate} in a second"),
            Pace::AsFastAsPossible => format!("as they are answered, {} under way", cargo.under_way_max),
        };
        let through = match cargo.manner {
            Manner::Publish => "Publish",
            Manner::Unary => "a call for each",
        };
        let payload = format!("{} bytes", cargo.bytes);
        let duration = format!("{:.1} s", duration.as_secs_f64());
        vec![
            ("to", to),
            ("rate", rate),
            ("through", through.to_owned()),
            ("payload", payload),
            ("duration", duration),
        ]
    }
}

impl Sending {
    async fn measure(&mut self, time: Time) -> anyhow::Result<Outcome> {
        if !time.warm_up.is_zero() {
            self.pump.run(Phase::WarmUp, time.pace, time.warm_up).await?;
            self.pump.settle().await;
            self.arrived().await;
        }
        let (before, began, came) = (self.watch.read(), Instant::now(), self.arrivals.count());
        let unsent = self.pump.run(Phase::Measured, time.pace, time.duration).await?;
        let sending = began.elapsed();
        self.pump.settle().await;
        self.arrived().await;
        let (arriving, after) = (began.elapsed(), self.watch.read());
        let told = self.tally.told();
        Ok(Outcome {
            sending,
            arriving,
            measured: self.tally.measured(),
            unsent,
            arrived: self.arrivals.count() - came,
            strange: self.arrivals.strange(),
            flaws: self.flaws(&told),
            told,
            latency: self.arrivals.latency.merged(),
            receipt_latency: self.tally.latency.merged(),
            lag: self.tally.lag.merged(),
            used: Used {
                servers: self.watch.cpu_between(&before, &after),
                own: after.own_cpu_since(&before),
            },
            ..Outcome::default()
        })
    }

    /// Waits until everything has arrived of which the sender was not told otherwise, or will not.
    async fn arrived(&self) {
        let (told, deadline) = (self.tally.told(), Instant::now() + ARRIVAL_WITHIN);
        while self.flaws(&told).lost > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn flaws(&self, told: &Told) -> Flaws {
        let excuses = |stream, number| told.excuses(stream, number);
        self.arrivals.flaws(|stream| self.pump.lines.sent(stream), excuses)
    }
}

impl<'a> Look<'a> {
    fn new(sending: &Sending, progress: &'a mut Progress) -> Self {
        Self {
            arrivals: Arc::clone(&sending.arrivals),
            tally: Arc::clone(&sending.tally),
            began: Instant::now(),
            rates: (Rate::begin(0), Rate::begin(0)),
            curves: Curves::default(),
            progress,
        }
    }

    fn once(&mut self) {
        let at = self.began.elapsed();
        let sent = self.rates.0.of(self.tally.sent());
        let arrived = self.rates.1.of(self.arrivals.count());
        self.curves.sent.push(at, sent);
        self.curves.arrived.push(at, arrived);
        let percentiles = self.curves.latency.look(at, &self.arrivals.latency);
        let (errors, under_way) = (self.tally.errors(), self.tally.under_way());
        self.progress.show(format_args!(
            "{sent:.0}/s sent, {arrived:.0}/s arrived, {percentiles}, {under_way} under way, {errors} errors"
        ));
    }
}

fn lines(addressees: Addressees, clients: &ClientsConfig) -> Lines {
    match addressees {
        Addressees::Users => Lines::users(clients.users()),
        Addressees::Groups => Lines::groups(clients.groups(), clients.count),
        Addressees::All => Lines::all(clients.count),
    }
}
