//! Who is online, in Redis, as `docs/presence.md` describes it.

use std::time::Duration;

use async_trait::async_trait;
use redis::Pipeline;
use ringway_session::UserId;
use ringway_store::{Online, Presence, PresenceExport, StoreError, WorkerLife};
use serde::{Deserialize, Serialize};

use crate::config::RedisConfig;
use crate::error::Failure;
use crate::keys::Keys;
use crate::link::Link;

/// How many users are written in one go.
const GO_USERS: usize = 1000;

/// Takes a user off if it is this life of a worker that says so.
const TAKE_OFF: &str = r#"
local value = redis.call("GET", KEYS[1])
if not value then return 0 end
local online = cjson.decode(value)
if online.worker ~= ARGV[1] or online.incarnation ~= ARGV[2] then return 0 end
return redis.call("DEL", KEYS[1])
"#;

/// Who is online, in Redis.
pub struct RedisPresence {
    link: Link,
    keys: Keys,
    time_to_live: Duration,
}

/// The value of a user's key.
#[derive(Deserialize, Serialize)]
struct Document {
    worker: String,
    /// As text: 64 bits are more than a number of JSON holds everywhere.
    incarnation: String,
    sessions: u32,
}

impl RedisPresence {
    /// Presence in this Redis, which need not be there yet.
    ///
    /// # Errors
    /// `Refused` for an address that is none.
    pub fn new(config: &RedisConfig) -> Result<Self, StoreError> {
        Ok(Self {
            link: Link::new(&config.url, config.answer_timeout)?,
            keys: Keys::new(&config.prefix),
            time_to_live: config.presence_time_to_live,
        })
    }

    async fn announce_some(&self, at: &WorkerLife, users: &[Presence]) -> Result<(), Failure> {
        let mut pipeline = redis::pipe();
        let list = self.keys.online_at(at);
        let (online, offline): (Vec<_>, Vec<_>) = users.iter().partition(|presence| presence.sessions > 0);
        for presence in &online {
            let value = document(at, presence.sessions);
            let key = self.keys.online(&presence.user);
            pipeline.cmd("SET").arg(key).arg(value).arg("PX").arg(self.expiry_ms()).ignore();
        }
        self.note(&mut pipeline, "SADD", &list, &online);
        self.take_off(&mut pipeline, at, offline.iter().map(|presence| &presence.user));
        self.note(&mut pipeline, "SREM", &list, &offline);
        // The list outlives what is in it, so that it can be cleaned up by it.
        pipeline.cmd("PEXPIRE").arg(&list).arg(self.expiry_ms() * 2).ignore();
        self.link.ask_all::<()>(&pipeline).await
    }

    fn note(&self, pipeline: &mut Pipeline, command: &str, list: &str, users: &[&Presence]) {
        if !users.is_empty() {
            let names: Vec<_> = users.iter().map(|presence| presence.user.as_str()).collect();
            pipeline.cmd(command).arg(list).arg(names).ignore();
        }
    }

    fn take_off<'a>(
        &self,
        pipeline: &mut Pipeline,
        at: &WorkerLife,
        users: impl Iterator<Item = &'a UserId>,
    ) {
        for user in users {
            let mut command = redis::cmd("EVAL");
            command.arg(TAKE_OFF).arg(1).arg(self.keys.online(user));
            command.arg(at.worker.as_str()).arg(incarnation(at));
            pipeline.add_command(command);
        }
    }

    async fn remove_all(&self, life: &WorkerLife) -> Result<u64, Failure> {
        let list = self.keys.online_at(life);
        let mut removed = 0;
        loop {
            let names: Vec<String> =
                self.link.ask(redis::cmd("SRANDMEMBER").arg(&list).arg(GO_USERS)).await?;
            if names.is_empty() {
                return Ok(removed);
            }
            let users: Vec<_> = names.iter().filter_map(|name| UserId::new(name).ok()).collect();
            let mut pipeline = redis::pipe();
            self.take_off(&mut pipeline, life, users.iter());
            pipeline.cmd("SREM").arg(&list).arg(names).ignore();
            let taken_off: Vec<u64> = self.link.ask_all(&pipeline).await?;
            removed += taken_off.iter().sum::<u64>();
        }
    }

    fn expiry_ms(&self) -> u64 {
        u64::try_from(self.time_to_live.as_millis()).unwrap_or(u64::MAX / 2)
    }
}

#[async_trait]
impl PresenceExport for RedisPresence {
    fn time_to_live(&self) -> Duration {
        self.time_to_live
    }

    async fn announce(&self, at: &WorkerLife, users: &[Presence]) -> Result<(), StoreError> {
        for some in users.chunks(GO_USERS) {
            self.announce_some(at, some).await.map_err(Failure::into_error)?;
        }
        Ok(())
    }

    async fn remove(&self, life: &WorkerLife) -> Result<u64, StoreError> {
        self.remove_all(life).await.map_err(Failure::into_error)
    }

    async fn online(&self, users: &[UserId]) -> Result<Vec<Option<Online>>, StoreError> {
        let mut online = Vec::with_capacity(users.len());
        for some in users.chunks(GO_USERS) {
            let mut pipeline = redis::pipe();
            some.iter().for_each(|user| _ = pipeline.cmd("GET").arg(self.keys.online(user)));
            let values: Vec<Option<String>> =
                self.link.ask_all(&pipeline).await.map_err(Failure::into_error)?;
            online.extend(values.iter().map(|value| value.as_deref().and_then(read)));
        }
        Ok(online)
    }
}

fn document(at: &WorkerLife, sessions: u32) -> String {
    let document = Document { worker: at.worker.to_string(), incarnation: incarnation(at), sessions };
    serde_json::to_string(&document).unwrap_or_default()
}

fn read(value: &str) -> Option<Online> {
    let Document { worker, incarnation, sessions } = serde_json::from_str(value).ok()?;
    let at =
        WorkerLife { worker: worker.parse().ok()?, incarnation: u64::from_str_radix(&incarnation, 16).ok()? };
    Some(Online { at, sessions })
}

fn incarnation(life: &WorkerLife) -> String {
    format!("{:016x}", life.incarnation)
}
