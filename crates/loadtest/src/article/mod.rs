//! `load article`: the table that this design is known by. So many threads start over so many seconds, and each sends to one group
//! with a call for each message; a member of the group is online. Behind the known rows the threads are doubled until something fails.

mod report;
mod row;
mod threads;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use ringway_sender::Sender;

use crate::beat::{Rate, beside};
use crate::bounds::Reach;
use crate::machine::Watch;
use crate::plan::{ClientsConfig, ClusterConfig, WatchConfig, check_node};
use crate::progress::Progress;
use crate::report::Report;
use crate::shown::names;
use crate::traffic::Arrivals;
pub(crate) use row::Row;
pub use row::{Step, StepError};
use threads::Threads;

/// How long messages of a row may take to arrive once they are answered, before the next row begins.
const ARRIVAL_WITHIN: Duration = Duration::from_secs(5);

/// Messages under way in the pipeline: none goes that way.
const UNDER_WAY: usize = 1;

/// What is to be measured.
#[derive(Debug)]
pub struct ArticleConfig {
    /// The members of the group.
    pub clients: ClientsConfig,
    /// Where the sends go.
    pub cluster: ClusterConfig,
    /// The processes whose processor time is measured.
    pub watch: WatchConfig,
    /// Whether other machines may be loaded.
    pub reach: Reach,
    /// How long each payload is.
    pub bytes: usize,
    /// The rows; the last of them is doubled.
    pub steps: Vec<Step>,
    /// Up to how many threads it goes on.
    pub threads_max: u32,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many of the rows are those that were asked for; the others are the doubled ones.
    pub(crate) asked: usize,
    pub(crate) rows: Vec<Row>,
    /// How many members of the group were online.
    pub(crate) members: u64,
    /// Messages that came twice.
    pub(crate) repeated: u64,
    /// What ended it.
    pub(crate) end: String,
}

/// A running measurement.
struct Article {
    threads: Arc<Threads>,
    watch: Watch,
    members: u64,
    arrivals: Arc<Arrivals>,
}

impl ArticleConfig {
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

/// Connects the members, makes the rows, and says what ended them.
async fn run(config: ArticleConfig, progress: &mut Progress) -> anyhow::Result<Outcome> {
    let ArticleConfig { clients, cluster, watch, reach, bytes, steps, threads_max } = config;
    reach.check("the address of --url", clients.target.address)?;
    check_node(reach, &cluster.node)?;
    clients.check_groups()?;
    ensure!(!steps.is_empty(), "there is no row to make");
    let watch = watch.watch(Some(&clients.target), Some(&cluster.node))?;
    let sender = cluster.sender(UNDER_WAY).await?;
    let arrivals = clients.arrivals();
    let article = Article::new(&clients, sender, (watch, Arc::clone(&arrivals)), bytes);
    let crowd = clients.connected(Arc::clone(&arrivals), progress).await?;
    let table = article.table(steps, threads_max, progress).await?;
    crowd.leave().await;
    Ok(table)
}

impl Article {
    fn new(
        clients: &ClientsConfig,
        sender: Sender,
        (watch, arrivals): (Watch, Arc<Arrivals>),
        bytes: usize,
    ) -> Self {
        let group = clients.identities.group(0);
        let threads = Arc::new(Threads::new(sender, group, Arc::clone(&arrivals), bytes));
        Self { threads, watch, members: clients.count as u64, arrivals }
    }

    async fn table(
        &self,
        steps: Vec<Step>,
        threads_max: u32,
        progress: &mut Progress,
    ) -> anyhow::Result<Outcome> {
        let (asked, mut steps) = (steps.len(), VecDeque::from(steps));
        let (mut rows, mut end): (Vec<Row>, _) = (Vec::new(), None);
        while let Some(step) = steps.pop_front() {
            let row = self.watched(step, progress).await?;
            let failure = row.failure().map(|failure| format!("{step} failed: {failure}"));
            rows.push(row);
            if rows.len() < asked {
                continue;
            }
            match (failure, step.doubled(threads_max)) {
                (None, Some(doubled)) => steps.push_back(doubled),
                (failure, _) => end = failure,
            }
        }
        let repeated = self.arrivals.flaws(|_| 0, |_, _| true).repeated;
        let end = end.unwrap_or_else(|| format!("nothing failed up to --threads-max {threads_max}"));
        Ok(Outcome { asked, rows, members: self.members, repeated, end })
    }

    async fn watched(&self, step: Step, progress: &mut Progress) -> anyhow::Result<Row> {
        progress.show(step);
        let mut rate = Rate::begin(self.arrivals.count());
        let look = || {
            let (started, answered) = self.threads.counts();
            let arrived = rate.of(self.arrivals.count());
            progress
                .show(format_args!("{step}: {started} started, {answered} answered, {arrived:.0}/s arrived"));
        };
        beside(self.row(step), look).await
    }

    async fn row(&self, step: Step) -> anyhow::Result<Row> {
        let (before, came) = (self.watch.read(), self.arrivals.count());
        let (real, answered) = self.threads.step(step).await?;
        let latency = answered.latency.merged();
        let expected = answered.delivered * self.members;
        let arrived = self.arrived(came, expected).await;
        let used = self.watch.cpu_between(&before, &self.watch.read());
        let cpu: Duration = used.iter().map(|(_, used)| *used).sum();
        Ok(Row {
            step,
            real,
            lost: expected.saturating_sub(arrived),
            errors: answered.errors,
            mean_ms: latency.mean_millis(),
            p99_ms: latency.millis(0.99).unwrap_or_default(),
            cpu_us: (!used.is_empty()).then(|| cpu.as_secs_f64() * 1e6 / step.samples() as f64),
        })
    }

    /// Waits until as many have come as are expected, or will not.
    async fn arrived(&self, before: u64, expected: u64) -> u64 {
        let deadline = Instant::now() + ARRIVAL_WITHIN;
        loop {
            let arrived = self.arrivals.count() - before;
            if arrived >= expected || Instant::now() >= deadline {
                return arrived;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
