//! `ringway bridge`: the doors as a process of its own; and the same within `up` and `worker`, where they are configured.

use std::time::Duration;

use anyhow::Context as _;
use ringway_bridge::{Outlets, Workers};
use ringway_cluster::{FollowError, follow};
use ringway_rpc::{ClusterSecret, HealthHandle, NodePool, NodeUrl};
use ringway_sender::{ConnectError, Sender, SenderConfig};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::running::Running;
use super::{Process, parts, tell_ready};
use crate::cli::BridgeArgs;
use crate::config::{Config, Doors, Role, Settings};
use crate::exit::Ending;

/// How long to rest when no node shows its ring at the start.
const FOLLOW_REST: Duration = Duration::from_secs(1);

/// Runs a bridge until it is told to stop.
pub(crate) fn bridge(args: BridgeArgs) -> anyhow::Result<Ending> {
    let flags = args.settings();
    Process::serve(args.config.config, flags, Role::Bridge, serve)
}

async fn serve(mut process: Process) -> anyhow::Result<Ending> {
    let mut doors = std::mem::take(&mut process.doors);
    let Config { settings, checked, .. } = &*process.config;
    let status = process.bind_status()?;
    let ready = json!({ "status": process.status_url(status.as_ref())? });
    let secret = checked.secret.clone().context("cluster.secret is missing")?;
    let health = HealthHandle::new();
    let mut running = Running::new();
    process.start_status(status, health.clone());
    let place = Place { nodes: settings.cluster.nodes.clone(), secret, workers: Workers::All };
    start_intake(&mut doors, &place, settings, &mut running);
    start_outlets(doors, place, settings, &mut running);
    health.set_serving();
    tell_ready(&ready)?;
    process.run(running).await
}

/// Where a bridge is.
pub(super) struct Place {
    /// Nodes to take the ring from.
    pub(super) nodes: Vec<NodeUrl>,
    /// The cluster's secret.
    pub(super) secret: ClusterSecret,
    /// Whose events go out.
    pub(super) workers: Workers,
}

/// Starts to take messages in, if there is a door for them, in a phase of its own: it ends before what it sends to does.
pub(super) fn start_intake(doors: &mut Doors, place: &Place, settings: &Settings, running: &mut Running) {
    let Some(intake) = doors.intake.take() else { return };
    running.phase("messages in end", intake.drain_timeout);
    let mut config = SenderConfig::new(place.nodes.clone(), place.secret.clone());
    config.pool = parts::pool(settings);
    running.start("messages in", |stop| async move {
        if let Some(sender) = reached(|| Sender::connect(config.clone()), &stop).await? {
            ringway_bridge::run_intake(intake, sender, stop).await;
        }
        Ok(())
    });
}

/// Starts to let events out, if there are doors for them, in a phase of its own: it ends when there are no more events.
pub(super) fn start_outlets(doors: Doors, place: Place, settings: &Settings, running: &mut Running) {
    let Doors { intake: _, outlet, webhook } = doors;
    if outlet.is_none() && webhook.is_none() {
        return;
    }
    running.phase("events out end", Duration::ZERO);
    let Place { nodes, secret, workers } = place;
    let pool = NodePool::new(secret, parts::pool(settings));
    running.start("events out", |stop| async move {
        let followed = || async { Ok(follow(&pool, nodes.clone(), stop.clone()).await?) };
        if let Some(views) = reached(followed, &stop).await? {
            ringway_bridge::run_outlets(Outlets { outlet, webhook, workers }, views, pool, stop).await;
        }
        Ok(())
    });
}

/// Reaches the cluster. A bridge may start before it does, so it asks until a node answers; nothing if it ends before.
async fn reached<T, F>(reach: impl Fn() -> F, stop: &CancellationToken) -> anyhow::Result<Option<T>>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    loop {
        match stop.run_until_cancelled(reach()).await {
            None | Some(Err(ConnectError::Ring(FollowError::ShutDown))) => return Ok(None),
            Some(Ok(reached)) => return Ok(Some(reached)),
            Some(Err(error @ ConnectError::Ring(FollowError::NoNodes))) => return Err(error.into()),
            Some(Err(error)) => warn!(%error, "waiting for a node that shows its ring"),
        }
        stop.run_until_cancelled(tokio::time::sleep(FOLLOW_REST)).await;
    }
}
