//! Mailboxes and presence in Redis, for clusters of several workers.
//!
//! A mailbox is two keys, which Redis Cluster keeps in one place: a stream whose ids are the offsets (`7-0`), so that Redis
//! itself refuses an offset that was used already, and a hash with the epoch, the devices' positions and what was
//! withdrawn. The stream's name holds the epoch and the *tenure*: who writes in one that is over finds no stream. Keys, fields
//! and expiry are documented in `docs/mailbox.md` and `docs/presence.md`.
//!
//! - One connection carries everything, pipelined. What waits for one user goes together, users do not wait for each other.
//! - A reply that was lost is not guessed: after the next connection the end of the stream tells.
//! - A message costs one `XADD`, which also trims; and, much later and for many messages at once, its part of an `HSET` and of
//!   an `XTRIM`.
//! - Whoever deletes the keys, or restores older ones, makes a new epoch, as far as it can be noticed.

mod append;
mod config;
mod error;
mod keys;
mod lane;
mod lanes;
mod link;
mod load;
mod mailbox;
mod presence;
mod read;
mod search;
mod tenure;
mod tidy;
mod wire;

pub use config::{PREFIX_DEFAULT, RedisConfig};
pub use mailbox::RedisMailbox;
pub use presence::RedisPresence;
