//! Running parts and ending them in order.
//!
//! A part runs until it is told to stop. A part that ends before that takes the whole process down: better a restart than
//! half a node. The end is a sequence of phases, each with a deadline; parts that miss it are cut off.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What a phase may take beyond the deadlines of its parts.
const GRACE: Duration = Duration::from_secs(2);

/// All parts of a process, by the phase in which they end.
pub(super) struct Running {
    phases: Vec<Phase>,
    failed: CancellationToken,
}

/// Parts that end together.
struct Phase {
    name: &'static str,
    deadline: Duration,
    parts: Vec<Part>,
}

struct Part {
    name: String,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Nothing runs yet.
    pub(super) fn new() -> Self {
        Self { phases: Vec::new(), failed: CancellationToken::new() }
    }

    /// Adds a phase that ends after those that were added before; the parts that are started next belong to it.
    pub(super) fn phase(&mut self, name: &'static str, deadline: Duration) {
        self.phases.push(Phase { name, deadline: deadline + GRACE, parts: Vec::new() });
    }

    /// Starts a part of the newest phase. It must end soon after its token is cancelled, and not before.
    pub(super) fn start<F>(&mut self, name: impl Into<String>, part: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let Some(phase) = self.phases.last_mut() else { return };
        let stop = CancellationToken::new();
        let (working, failed) = (part(stop.clone()), self.failed.clone());
        // Dropped at the end of the part, also by a panic.
        let guard = failed.drop_guard();
        let task = tokio::spawn(async move {
            let _guard = guard;
            working.await
        });
        phase.parts.push(Part { name: name.into(), stop, task });
    }

    /// Waits until a part has ended without being told to.
    pub(super) async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Runs until `shutdown` or until a part fails, then ends all parts, phase by phase.
    ///
    /// # Errors
    /// Why a part failed.
    pub(super) async fn until(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            biased;
            // Both are cancel-safe.
            () = shutdown.cancelled() => {}
            () = self.failed.cancelled() => warn!("shutdown: begins, since a part failed"),
        }
        let early = !shutdown.is_cancelled();
        let mut outcome = Ok(());
        for phase in self.phases {
            info!(phase = phase.name, deadline_ms = phase.deadline.as_millis() as u64, "shutdown: phase");
            let ended = phase.end(early).await;
            outcome = outcome.and(ended);
        }
        info!("shutdown: complete");
        outcome
    }
}

impl Phase {
    async fn end(self, early: bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + self.deadline;
        let mut outcome = Ok(());
        let ended_early: Vec<bool> = self.parts.iter().map(|part| early && part.task.is_finished()).collect();
        for part in &self.parts {
            part.stop.cancel();
        }
        for (part, early) in self.parts.into_iter().zip(ended_early) {
            outcome = outcome.and(part.ended(deadline, early).await);
        }
        outcome
    }
}

impl Part {
    async fn ended(mut self, deadline: Instant, early: bool) -> anyhow::Result<()> {
        match timeout_at(deadline, &mut self.task).await {
            Ok(Ok(Ok(()))) if early => Err(anyhow!("{} ended without being told to", self.name)),
            Ok(Ok(outcome)) => outcome.with_context(|| format!("{} failed", self.name)),
            Ok(Err(panic)) => Err(anyhow!(panic).context(format!("{} failed", self.name))),
            Err(_) => {
                warn!(part = self.name, "shutdown: it did not end in time and is cut off");
                self.task.abort();
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    /// A part that notes when it ends.
    fn noting(running: &mut Running, name: &'static str, ended: &Arc<Mutex<Vec<&'static str>>>) {
        let ended = Arc::clone(ended);
        running.start(name, |stop| async move {
            stop.cancelled().await;
            ended.lock().push(name);
            Ok(())
        });
    }

    #[tokio::test]
    async fn phases_end_in_their_order() {
        let (mut running, ended) = (Running::new(), Arc::default());
        running.phase("first", SOON);
        noting(&mut running, "a", &ended);
        running.phase("second", SOON);
        noting(&mut running, "b", &ended);
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        running.until(shutdown).await.unwrap();
        assert_eq!(*ended.lock(), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_part_that_fails_ends_all_others_and_is_told() {
        let (mut running, ended) = (Running::new(), Arc::default());
        running.phase("first", SOON);
        noting(&mut running, "a", &ended);
        running.phase("second", SOON);
        running.start("b", |_| async { anyhow::bail!("no reason") });
        let error = running.until(CancellationToken::new()).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "b failed: no reason");
        assert_eq!(*ended.lock(), ["a"]);
    }

    #[tokio::test]
    async fn a_part_that_ends_by_itself_is_a_failure() {
        let mut running = Running::new();
        running.phase("only", SOON);
        running.start("a", |_| async { Ok(()) });
        let error = running.until(CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "a ended without being told to");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_does_not_end_is_cut_off() {
        let mut running = Running::new();
        running.phase("only", SOON);
        running.start("a", |_| std::future::pending());
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        running.until(shutdown).await.unwrap();
    }
}
