//! Senders against a cluster of fake workers, over real sockets on ports from the kernel.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the dispatcher's tests use more of it")]
#[path = "../../../dispatch/tests/dispatch/fake.rs"]
mod fake;
mod publish;
mod send;
mod sessions;

use std::time::Duration;

use fake::FakeCluster;
use ringway_sender::{RetryConfig, Sender, SenderConfig};

fn config(cluster: &FakeCluster) -> SenderConfig {
    let mut config = SenderConfig::new([cluster.workers[0].member.rpc_url.clone()], fake::secret());
    config.retry = RetryConfig { first_pause_max: Duration::from_millis(1), ..RetryConfig::default() };
    config
}

async fn connect(cluster: &FakeCluster) -> Sender {
    fake::soon("a sender", Sender::connect(config(cluster))).await.unwrap()
}
