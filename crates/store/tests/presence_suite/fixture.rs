//! What an export of presence under test must say about itself.

use std::time::Duration;

use async_trait::async_trait;
use ringway_store::PresenceExport;

/// Makes handles of one export.
#[async_trait]
pub(crate) trait Fixture: Send + Sync {
    /// A handle as a process of its own would have it.
    async fn handle(&self) -> Box<dyn PresenceExport>;

    /// Lets time pass.
    async fn pass(&self, time: Duration);
}
