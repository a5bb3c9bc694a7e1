//! Gossip passes the suite that every registry must pass. Each handle is a node of its own.

// The suite knows registries of other natures too.
#[allow(dead_code)]
#[path = "../../cluster/tests/registry_suite/mod.rs"]
mod registry_suite;

mod nodes;

use std::time::Duration;

use async_trait::async_trait;
use ringway_cluster::{Member, Registry};
use ringway_registry_gossip::GossipRegistry;
use tokio::sync::Mutex;

use nodes::{FAILURE_TIMEOUT, SETTLES_WITHIN};
use registry_suite::fixture::{Fixture, Membership, Nature, Reach};

registry_suite!(async { GossipFixture::default() });

/// The nodes so far. They live as long as the test, as processes would.
#[derive(Default)]
struct GossipFixture(Mutex<Vec<GossipRegistry>>);

#[async_trait]
impl Fixture for GossipFixture {
    async fn handle(&self) -> Box<dyn Registry> {
        let mut nodes = self.0.lock().await;
        let node = nodes::start(nodes.first(), |_| {}).await;
        nodes.push(node.clone());
        Box::new(node)
    }

    fn member(&self, number: usize) -> Member {
        nodes::member(number)
    }

    fn nature(&self) -> Nature {
        Nature {
            membership: Membership::Open,
            reach: Reach::Cluster,
            time_to_live: FAILURE_TIMEOUT,
            settles_within: SETTLES_WITHIN + Duration::from_secs(2),
        }
    }
}
