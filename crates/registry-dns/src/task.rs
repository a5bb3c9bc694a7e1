//! Asking again and again.

use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use ringway_cluster::{RegistryHealth, StaticRegistry};
use tracing::debug;

use crate::question::Answer;
use crate::registry::DnsConfig;

/// Keeps a list as the DNS has it.
pub(crate) struct DnsTask {
    pub(crate) resolver: TokioResolver,
    pub(crate) config: DnsConfig,
    pub(crate) list: StaticRegistry,
    pub(crate) health: RegistryHealth,
}

impl DnsTask {
    /// Asks forever, first after this pause.
    pub(crate) async fn run(mut self, mut pause: Duration) {
        loop {
            tokio::time::sleep(pause).await;
            pause = self.ask().await;
        }
    }

    /// Asks once, and returns how long to wait until the next time.
    pub(crate) async fn ask(&mut self) -> Duration {
        match self.config.question.ask(&self.resolver).await {
            Ok(answer) => self.take(answer),
            Err(error) => self.fail(error),
        }
    }

    fn take(&self, Answer { members, valid_until }: Answer) -> Duration {
        debug!(name = self.config.question.name(), members = members.len(), "the DNS has answered");
        match self.list.relist(members) {
            Ok(()) => self.health.up(),
            // Two services on one host, say: they would be one member in two places.
            Err(error) => return self.fail(error),
        }
        let lives = valid_until.saturating_duration_since(Instant::now());
        lives.clamp(self.config.interval_min, self.config.interval_max)
    }

    fn fail(&self, error: impl std::error::Error) -> Duration {
        metrics::counter!("ringway_dns_failures_total").increment(1);
        self.health.down(format_args!("{}: {error}", self.config.question.name()));
        self.config.interval_min
    }
}
