//! `ringway events`: what happens at all workers, as it happens.

use ringway_bridge::{Batch, FeedConfig, Workers, cloud_event, follow_events};
use ringway_cluster::follow;
use ringway_proto::v1::EventKind;
use ringway_rpc::NodePool;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::node;
use crate::cli::{EventName, EventsArgs};
use crate::exit::Ending;
use crate::output;

/// Prints events until there were enough, or for ever.
pub(crate) async fn events(args: EventsArgs) -> anyhow::Result<Ending> {
    let at = &args.node.node;
    let pool = NodePool::new(node::secret(&args.node)?, node::pool());
    let views = follow(&pool, vec![at.clone()], CancellationToken::new()).await;
    let views = views.map_err(|error| node::not_shown(error, at))?;
    let kinds = args.kind.iter().map(|kind| kind_of(*kind)).collect();
    let config = FeedConfig { kinds, reliable: false, ..FeedConfig::new(args.name) };
    let mut feed = follow_events(views, pool, Workers::All, config);
    let mut left = args.events.unwrap_or(u64::MAX);
    while left > 0
        && let Some(batch) = feed.next().await
    {
        left -= print(&batch, left)?;
        batch.acknowledge().await;
    }
    Ok(Ending::Done)
}

/// Prints a batch, at most so many events of it. Gives back how many.
fn print(batch: &Batch, max: u64) -> anyhow::Result<u64> {
    if batch.missed > 0 {
        output::json(&json!({ "worker": batch.worker, "missed": batch.missed }))?;
    }
    let events = batch.events.iter().take(usize::try_from(max).unwrap_or(usize::MAX));
    let mut printed = 0;
    for event in events {
        output::json(&cloud_event(event))?;
        printed += 1;
    }
    Ok(printed)
}

fn kind_of(name: EventName) -> EventKind {
    match name {
        EventName::Connected => EventKind::Connected,
        EventName::Disconnected => EventKind::Disconnected,
        EventName::Message => EventKind::Message,
    }
}
