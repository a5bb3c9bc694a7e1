//! What is watched while everything goes on, and what is left when everybody has gone.

use std::time::{Duration, Instant};

use ringway_sender::{Sender, SessionFilter};

use super::leak::{Kind, Series};
use crate::clients::Connections;
use crate::machine::{MetricsUrl, Watch, Watched};

/// How often is looked, at the most and at the least, and how often over the whole time otherwise.
const EVERY_MIN: Duration = Duration::from_millis(500);
const EVERY_MAX: Duration = Duration::from_secs(60);
const LOOKS: u32 = 240;

/// How long the cluster may take to be as it was before, when all have left. Sessions that wait to be resumed wait for 30 s.
const RELEASE_WITHIN: Duration = Duration::from_secs(45);

/// How many files and tasks may be there in the end that were not at the beginning: nodes keep their connections to each other.
const KEPT_MAX: u64 = 16;

/// The metric that tells a node's tasks.
const TASKS: &str = "ringway_process_tasks";

/// The way to what is watched.
pub(super) struct Gauge {
    watch: Watch,
    sender: Sender,
    metrics: Vec<MetricsUrl>,
    processes: Vec<[Series; 2]>,
    tasks: Series,
    sessions: Series,
}

/// How everything is at a moment.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    processes: Watched,
    /// None: no node tells.
    tasks: Option<u64>,
    /// None: not every worker answered.
    sessions: Option<u64>,
}

/// What was there before anybody came, and what when all had gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) name: String,
    pub(crate) before: u64,
    pub(crate) after: u64,
    kept_max: u64,
}

impl Gauge {
    /// Nothing was read yet.
    pub(super) fn new(watch: Watch, sender: Sender, metrics: Vec<MetricsUrl>) -> Self {
        let of = |name: &str| {
            [
                Series::new(format!("{name}: resident memory"), Kind::Resident),
                Series::new(format!("{name}: open files"), Kind::Files),
            ]
        };
        let processes = watch.names().map(of).collect();
        let (tasks, sessions) =
            (Series::new("tasks", Kind::Tasks), Series::new("sessions without a client", Kind::Sessions));
        Self { watch, sender, metrics, processes, tasks, sessions }
    }

    /// How it is now.
    pub(super) async fn read(&self) -> Reading {
        let (mut tasks, mut is_told) = (0.0, true);
        for url in &self.metrics {
            let told = url.sum(TASKS).await;
            is_told &= told.is_some();
            tasks += told.unwrap_or_default();
        }
        let listed = self.sender.list_sessions(&SessionFilter::All, 1).await;
        let sessions = listed.ok().filter(|list| list.workers_unreached.is_empty()).map(|list| list.total);
        Reading { processes: self.watch.read(), tasks: is_told.then_some(tasks as u64), sessions }
    }

    /// Looks again and again, for this time.
    pub(super) async fn watch(&mut self, connections: &Connections, time: Duration) -> anyhow::Result<()> {
        let (began, every) = (Instant::now(), (time / LOOKS).clamp(EVERY_MIN, EVERY_MAX));
        while began.elapsed() + every < time {
            tokio::time::sleep(every).await;
            let (reading, open) = (self.read().await, connections.open_now());
            self.note(began.elapsed(), &reading, open);
        }
        Ok(())
    }

    /// Waits until everything is as it was before, or will not be so, and tells the difference.
    pub(super) async fn left(&self, before: &Reading) -> Vec<Left> {
        let deadline = Instant::now() + RELEASE_WITHIN;
        loop {
            let left = self.compare(before, &self.read().await);
            if !left.iter().any(Left::is_too_much) || Instant::now() >= deadline {
                return left;
            }
            tokio::time::sleep(EVERY_MIN).await;
        }
    }

    /// What was watched; without what nobody tells.
    pub(super) fn series(self) -> Vec<Series> {
        let all = self.processes.into_iter().flatten().chain([self.tasks, self.sessions]);
        all.filter(|series| !series.values.is_empty()).collect()
    }

    fn note(&mut self, at: Duration, reading: &Reading, open: u64) {
        for ([resident, files], process) in self.processes.iter_mut().zip(&reading.processes.servers) {
            resident.values.push((at, process.resident as f64));
            files.values.push((at, process.files as f64));
        }
        if let Some(tasks) = reading.tasks {
            self.tasks.values.push((at, tasks as f64));
        }
        if let Some(sessions) = reading.sessions {
            self.sessions.values.push((at, sessions as f64 - open as f64));
        }
    }

    fn compare(&self, before: &Reading, after: &Reading) -> Vec<Left> {
        let left =
            |name: &str, before, after, kept_max| Left { name: name.to_owned(), before, after, kept_max };
        let files = self.watch.names().zip(before.processes.servers.iter().zip(&after.processes.servers));
        let files = files.map(|(name, (before, after))| {
            left(&format!("{name}: open files"), before.files, after.files, KEPT_MAX)
        });
        let tasks =
            before.tasks.zip(after.tasks).map(|(before, after)| left("tasks", before, after, KEPT_MAX));
        let sessions =
            before.sessions.zip(after.sessions).map(|(before, after)| left("sessions", before, after, 0));
        files.chain(tasks).chain(sessions).collect()
    }
}

impl Left {
    /// Whether more is there than may be kept.
    pub(crate) fn is_too_much(&self) -> bool {
        self.after > self.before + self.kept_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_files_may_stay_but_no_session() {
        let is_too_much =
            |before, after, kept_max| Left { name: String::new(), before, after, kept_max }.is_too_much();
        assert!(!is_too_much(10, 10 + KEPT_MAX, KEPT_MAX));
        assert!(is_too_much(10, 11 + KEPT_MAX, KEPT_MAX));
        assert!(!is_too_much(3, 3, 0) && !is_too_much(3, 2, 0) && is_too_much(3, 4, 0));
    }
}
