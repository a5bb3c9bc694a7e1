//! The doors and their lives.

use ringway_cluster::Views;
use ringway_rpc::NodePool;
use ringway_sender::Sender;
use tokio_util::sync::CancellationToken;

use crate::config::{FeedConfig, IntakeConfig, Outlets};
use crate::feed::{Feed, follow_events};
use crate::intake::Intake;
use crate::outlet::Outlet;
use crate::pump::pump;
use crate::webhook::Webhook;

/// Takes messages in until `shutdown`. What is under way then comes to its end, or comes again.
pub async fn run_intake(config: IntakeConfig, sender: Sender, shutdown: CancellationToken) {
    Intake::new(config, sender).run(shutdown).await;
}

/// Lets events out until `shutdown`. What is under way then comes again.
pub async fn run_outlets(config: Outlets, views: Views, pool: NodePool, shutdown: CancellationToken) {
    let Outlets { outlet, webhook, workers } = config;
    let feed = |config: &FeedConfig| -> Feed {
        follow_events(views.clone(), pool.clone(), workers.clone(), config.clone())
    };
    let outlet = async {
        if let Some(config) = outlet {
            let (feed, outlet) = (feed(&config.feed), Outlet::new(config));
            let pause_max = outlet.pause_max();
            Box::pin(pump(feed, outlet, pause_max, shutdown.clone())).await;
        }
    };
    let webhook = async {
        if let Some(config) = webhook {
            let pause_max = config.retry_pause_max;
            let feed = feed(&config.feed);
            Box::pin(pump(feed, Webhook::new(config), pause_max, shutdown.clone())).await;
        }
    };
    tokio::join!(outlet, webhook);
}
