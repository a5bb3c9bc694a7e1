//! The Redis in which the cluster writes: its address, which may hold a password, and what the stores must be told.

use std::fmt;

use ringway_store_redis::{RedisConfig, RedisPresence};

use super::Settings;
use super::reader::Reader;
use super::setting::{Flaw, Setting};
use super::value::Value;
use super::words::{MailboxStore, PresenceExportKind};

/// Redis's address, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RedisUrl(String);

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Setting for RedisUrl {
    const EXPECTED: &'static str = "a redis:// or unix:// URL";
    const EXAMPLE: &'static str = "\"redis://10.0.0.6:6379\"";
    const SECRET: bool = true;

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let text = value.text().ok_or_else(|| Flaw::of::<Self>(value))?;
        // Whether it can be used says the client, and nothing is connected by that.
        match RedisPresence::new(&RedisConfig::new(text)) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(Flaw::of::<Self>(value)),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String("(hidden)".to_owned()))
    }
}

/// What the stores in Redis must be told, if anything is written there.
pub(super) fn redis(settings: &Settings, reader: &mut Reader) -> Option<RedisConfig> {
    let (mailbox, presence, redis) = (&settings.mailbox, &settings.presence, &settings.redis);
    let wanted_by = match (mailbox.store, presence.export) {
        (MailboxStore::Redis, _) => "mailbox.store",
        (_, PresenceExportKind::Redis) => "presence.export",
        _ => return None,
    };
    let Some(RedisUrl(url)) = &redis.url else {
        if !reader.is_set("redis.url") {
            let problem =
                "without redis.url there is nowhere to write: set it, such as \"redis://10.0.0.6:6379\"";
            reader.contradict(wanted_by, &["redis.url"], problem);
        }
        return None;
    };
    Some(RedisConfig {
        prefix: redis.prefix.clone(),
        answer_timeout: redis.answer_timeout,
        limits: mailbox.limits(),
        presence_time_to_live: presence.time_to_live,
        ..RedisConfig::new(url)
    })
}
