//! Ring changes while everything else goes on: one worker after the other is drained and comes back, and has another weight for a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ringway_proto::v1::{DrainRequest, SetWeightRequest, UndrainRequest};
use ringway_proto::{Reason, Refusal};
use ringway_rpc::{NodeChannel, NodePool, PoolConfig};
use ringway_sender::Sender;
use tokio::time::timeout;

use crate::plan::ClusterConfig;

/// How long a change may take.
const CHANGE_WITHIN: Duration = Duration::from_secs(120);

/// The greatest weight.
const WEIGHT_MAX: u32 = 100;

/// Changes of a cluster's ring.
pub(super) struct Changes {
    workers: Vec<Worker>,
    every: Duration,
    made: u64,
    failures: BTreeMap<String, u64>,
}

/// A worker and its weight at the beginning.
struct Worker {
    node: NodeChannel,
    weight: u32,
}

/// What is done with a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Drain,
    Undrain,
    Weigh,
    WeighBack,
}

/// What is done with one worker before it is another one's turn. Each second one takes the one before it back.
const TURN: [Change; 4] = [Change::Drain, Change::Undrain, Change::Weigh, Change::WeighBack];

impl Changes {
    /// One at each interval, of the workers that the sender sees. With a single worker there is nothing to change.
    pub(super) fn new(cluster: &ClusterConfig, sender: &Sender, every: Duration) -> Self {
        let pool = NodePool::new(cluster.secret.clone(), PoolConfig::default());
        let view = sender.views().current();
        let workers = view.workers().iter();
        let workers: Vec<_> = workers
            .map(|member| Worker { node: pool.node(&member.rpc_url), weight: member.weight.get().into() })
            .collect();
        let workers = if workers.len() > 1 { workers } else { Vec::new() };
        Self { workers, every, made: 0, failures: BTreeMap::new() }
    }

    /// Changes the ring until then, and then takes back what is still changed.
    pub(super) async fn run(&mut self, until: Instant) -> anyhow::Result<()> {
        for step in 0.. {
            let (place, change) = (step / TURN.len(), TURN[step % TURN.len()]);
            let is_back = matches!(change, Change::Undrain | Change::WeighBack);
            let at = Instant::now() + self.every;
            if !is_back && at >= until {
                break;
            }
            tokio::time::sleep_until(at.min(until).into()).await;
            let Some(worker) = self.workers.get(place % self.workers.len().max(1)) else { break };
            let done = timeout(CHANGE_WITHIN, worker.change(change)).await;
            match done.unwrap_or_else(|_| Err("it took too long".to_owned())) {
                Ok(()) => self.made += 1,
                Err(failure) => *self.failures.entry(format!("{change:?}: {failure}")).or_default() += 1,
            }
        }
        Ok(())
    }

    /// Takes everything back that may have been changed.
    pub(super) async fn take_back(&self) {
        for worker in &self.workers {
            // What cannot be taken back now is the operator's; he sees it in the list of members.
            let _undrained = worker.change(Change::Undrain).await;
            let _weighed = worker.change(Change::WeighBack).await;
        }
    }

    /// How many were made, and why others were not.
    pub(super) fn made(self) -> (u64, BTreeMap<String, u64>) {
        (self.made, self.failures)
    }
}

impl Worker {
    async fn change(&self, change: Change) -> Result<(), String> {
        let weight = match change {
            Change::Drain => return self.drain().await,
            Change::Undrain => {
                let undrained = self.node.node().undrain(UndrainRequest {}).await;
                return undrained.map(|_| ()).map_err(|status| reason(&Refusal::from_status(&status)));
            }
            Change::Weigh => other(self.weight),
            Change::WeighBack => self.weight,
        };
        let weighed = self.node.node().set_weight(SetWeightRequest { weight }).await;
        weighed.map(|_| ()).map_err(|status| reason(&Refusal::from_status(&status)))
    }

    async fn drain(&self) -> Result<(), String> {
        let refused = |status| reason(&Refusal::from_status(&status));
        let mut progress = self.node.node().drain(DrainRequest {}).await.map_err(refused)?.into_inner();
        let mut is_done = false;
        while let Some(told) = progress.message().await.map_err(refused)? {
            is_done = told.done;
        }
        if is_done { Ok(()) } else { Err("sessions were left".to_owned()) }
    }
}

/// Twice as much, or half where there is nothing above.
fn other(weight: u32) -> u32 {
    if weight * 2 <= WEIGHT_MAX { weight * 2 } else { weight / 2 }
}

/// In a word that can be counted.
fn reason(refusal: &Refusal) -> String {
    match refusal.reason {
        Reason::MembersFixed => {
            "the cluster's list of members is fixed (--no-ring-changes leaves it alone)".to_owned()
        }
        reason => reason.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_taken_back() {
        for pair in TURN.chunks(2) {
            assert!(matches!(pair, [Change::Drain, Change::Undrain] | [Change::Weigh, Change::WeighBack]));
        }
    }

    #[test]
    fn another_weight_is_one_that_there_is() {
        assert_eq!([1, 50, 51, 100].map(other), [2, 100, 25, 50]);
    }
}
