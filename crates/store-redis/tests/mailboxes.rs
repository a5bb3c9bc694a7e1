//! The mailboxes in Redis pass the suite that every store of mailboxes must pass, with a real Redis.

mod support;

#[path = "../../store/tests/mailbox_suite/mod.rs"]
mod mailbox_suite;

use std::time::Duration;

use async_trait::async_trait;
use mailbox_suite::fixture::{Fixture, LIMITS, clock};
use ringway_store::{Mailbox, ManualClock};
use ringway_store_redis::{RedisConfig, RedisMailbox};

use support::{Redis, left_out};

mailbox_suite!(async { RedisFixture::new().await }, unless left_out());

struct RedisFixture {
    redis: Redis,
    clock: ManualClock,
}

impl RedisFixture {
    async fn new() -> Self {
        Self { redis: Redis::start().await, clock: clock() }
    }
}

#[async_trait]
impl Fixture for RedisFixture {
    async fn handle(&self) -> Box<dyn Mailbox> {
        let config = RedisConfig {
            limits: LIMITS,
            write_every: Duration::from_millis(20),
            ..RedisConfig::new(self.redis.url())
        };
        Box::new(RedisMailbox::new(config, self.clock.clock()).expect("a good address"))
    }

    async fn restart(&self) -> Box<dyn Mailbox> {
        self.redis.stop();
        self.redis.start_again().await;
        self.handle().await
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn forgets_by_clock(&self) -> bool {
        false
    }
}
