//! The task that keeps a node's list up to date.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::hub::Hub;

/// Runs from the start of a node to its end.
pub(crate) struct GossipTask {
    /// What it keeps up to date.
    pub(crate) hub: Arc<Hub>,
    /// How often it looks without being told to.
    pub(crate) every: Duration,
    /// Ends it.
    pub(crate) end: CancellationToken,
}

impl GossipTask {
    /// Runs until the end, then says goodbye.
    pub(crate) async fn run(self) {
        let end = self.end.clone();
        tokio::select! {
            biased;
            () = end.cancelled() => {}
            () = self.look() => {}
            // A node whose gossip has ended hears nobody, so its leases run out and its list stays as it is.
            ended = self.hub.gossip.termination_watcher() => match ended {
                Ok(()) => warn!("the gossip has ended"),
                Err(error) => error!(error = format!("{error:#}"), "the gossip has failed"),
            },
        }
        self.look_on_until_the_end().await;
        self.hub.bid_farewell().await;
        if let Err(error) = self.hub.gossip.initiate_shutdown() {
            warn!(%error, "the gossip had ended before");
        }
    }

    /// Takes over what changes, here and elsewhere. Never ends.
    async fn look(&self) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                // All are cancel-safe.
                () = self.hub.changed.notified() => {
                    self.hub.refresh().await;
                    self.hub.tell().await;
                }
                () = self.hub.heard.notified() => self.hub.refresh().await,
                _ = ticks.tick() => self.hub.refresh().await,
            }
        }
    }

    /// Still shows how badly a node sees whose gossip has failed.
    async fn look_on_until_the_end(&self) {
        self.end.run_until_cancelled(self.look()).await;
    }
}
