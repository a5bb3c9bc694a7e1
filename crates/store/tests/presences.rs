//! The export of presence in memory passes the suite that every export of presence must pass.

mod presence_suite;

use std::time::Duration;

use async_trait::async_trait;
use presence_suite::fixture::Fixture;
use ringway_store::{ManualClock, MemoryPresence, PresenceExport, UnixTime};

presence_suite!(async { MemoryFixture::new() });

struct MemoryFixture {
    clock: ManualClock,
    presence: MemoryPresence,
}

impl MemoryFixture {
    fn new() -> Self {
        let clock = ManualClock::at(UnixTime(1_700_000_000_000));
        let presence = MemoryPresence::new(Duration::from_secs(60), clock.clock());
        Self { clock, presence }
    }
}

#[async_trait]
impl Fixture for MemoryFixture {
    async fn handle(&self) -> Box<dyn PresenceExport> {
        Box::new(self.presence.clone())
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}
