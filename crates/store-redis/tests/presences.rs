//! Presence in Redis passes the suite that every export of presence must pass, with a real Redis; and it is written as
//! documented.

mod support;

#[path = "../../store/tests/presence_suite/mod.rs"]
mod presence_suite;

use std::time::Duration;

use async_trait::async_trait;
use presence_suite::fixture::Fixture;
use ringway_session::UserId;
use ringway_store::{Presence, PresenceExport, WorkerLife};
use ringway_store_redis::{RedisConfig, RedisPresence};

use support::{Redis, left_out};

presence_suite!(async { RedisFixture(Redis::start().await) }, unless left_out());

struct RedisFixture(Redis);

#[async_trait]
impl Fixture for RedisFixture {
    async fn handle(&self) -> Box<dyn PresenceExport> {
        let presence_time_to_live = Duration::from_millis(1200);
        let config = RedisConfig { presence_time_to_live, ..RedisConfig::new(self.0.url()) };
        Box::new(RedisPresence::new(&config).expect("a good address"))
    }

    /// Redis counts the time itself.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[tokio::test]
async fn it_is_written_as_documented() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let presence = RedisPresence::new(&RedisConfig::new(redis.url())).expect("a good address");
    let life = WorkerLife { worker: "w1".parse().expect("a good id"), incarnation: 255 };
    let alice = Presence { user: UserId::new("alice").expect("a good name"), sessions: 2 };
    presence.announce(&life, &[alice]).await.expect("it is taken");
    let value: String = redis.ask(&["GET", "ringway:online:{alice}"]).await;
    assert_eq!(value, r#"{"worker":"w1","incarnation":"00000000000000ff","sessions":2}"#);
    let users: Vec<String> = redis.ask(&["SMEMBERS", "ringway:online-at:w1:00000000000000ff"]).await;
    assert_eq!(users, ["alice"]);
    for (key, seconds) in [("ringway:online:{alice}", 60), ("ringway:online-at:w1:00000000000000ff", 120)] {
        let expiry: u64 = redis.ask(&["TTL", key]).await;
        assert!((seconds - 5..=seconds).contains(&expiry), "{key}: {expiry}");
    }
    presence.remove(&life).await.expect("it is removed");
    assert_eq!(redis.ask::<u64>(&["DBSIZE"]).await, 0);
}
