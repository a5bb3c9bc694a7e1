//! One user's way to Redis: what waits for it, and what is known of it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex as SyncMutex;
use ringway_session::UserId;
use ringway_store::book::{Book, Head};
use ringway_store::{Appended, Clock, DeviceId, NewEntry, Offset, Place, StoreError, UnixTime};
use tokio::sync::{Mutex, oneshot};

use crate::config::RedisConfig;
use crate::keys::Keys;
use crate::link::{Link, Script};

/// What all mailboxes have in common.
pub(crate) struct Shared {
    pub(crate) config: RedisConfig,
    pub(crate) clock: Clock,
    pub(crate) keys: Keys,
    pub(crate) link: Link,
    /// [`wire::ADD_ALL`](crate::wire::ADD_ALL).
    pub(crate) add_all: Script,
    /// [`tenure::BEGIN`](crate::tenure::BEGIN).
    pub(crate) begin_tenure: Script,
}

/// The way of one user. Whoever asks Redis for it holds `held`, so that nothing overtakes.
pub(crate) struct Lane {
    pub(crate) user: UserId,
    pub(crate) queue: SyncMutex<Queue>,
    pub(crate) held: Arc<Mutex<Held>>,
}

/// What waits to be appended.
#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) waiting: VecDeque<Append>,
    /// Whether somebody is there who takes it out.
    pub(crate) is_served: bool,
}

pub(crate) struct Append {
    pub(crate) at: Place,
    pub(crate) entries: Vec<NewEntry>,
    pub(crate) reply: oneshot::Sender<Result<Appended, StoreError>>,
}

/// What is known of a mailbox.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) known: Option<Known>,
    /// What was to be written of it when it was known last.
    pub(crate) unwritten: Option<Head>,
    /// Where it ended when it was known last, to notice that Redis has forgotten something.
    pub(crate) end: Option<Place>,
    /// When somebody used it last.
    pub(crate) used_at: UnixTime,
}

pub(crate) struct Known {
    /// Entries are found by their offsets; the book holds their messages' ids.
    pub(crate) book: Book<Arc<str>>,
    /// In which tenure.
    pub(crate) tenure: u64,
    /// Whether that is this store's. If Redis takes nothing it is not, and nothing is written late or removed.
    pub(crate) is_ours: bool,
    /// The name of its stream.
    pub(crate) log: String,
    /// Fields of the head that earlier tenures have left.
    pub(crate) left_fields: Vec<String>,
    /// The connection over which this was learned.
    pub(crate) wire: u64,
    /// Whether the head is not in Redis as it is.
    pub(crate) is_unwritten: bool,
    /// When its expiry was set last.
    pub(crate) written_at: UnixTime,
    /// The devices that Redis knows.
    pub(crate) devices: Vec<DeviceId>,
    /// Everything before this has gone from the stream, or was told to go.
    pub(crate) trimmed_to: Offset,
}

impl Lane {
    pub(crate) fn new(user: UserId) -> Self {
        Self { user, queue: SyncMutex::default(), held: Arc::default() }
    }
}

impl Held {
    /// The mailbox may not be as it was thought to be. What was to be written still is.
    pub(crate) fn forget(&mut self) {
        let unwritten = self.known.take().filter(|known| known.is_unwritten);
        self.unwritten = unwritten.map(|known| known.book.head()).or(self.unwritten.take());
    }
}
