//! The worker's side of mailboxes: what is stored for users, and what their sessions read of it.
//!
//! The laws:
//! - A message is in the store before it is put on the way to any session, and before its sender is answered.
//! - What happens to one user's mailbox happens in one line, the user's *desk*: messages are stored and sent in the order in which
//!   they came, and a session begins to read between two of them. So a session has neither a gap nor an overlap between what
//!   was there and what comes.
//! - A user who has gone to another worker meanwhile is not forgotten: that worker is told to look (`poke`).

mod desk;
mod poke;
mod reading;
mod recent;
mod taken;
mod waits;

use std::sync::Arc;

use parking_lot::Mutex;
use ringway_dispatch::Keeping;
use ringway_session::{MailboxPlace, MailboxWish, Message, Reach, Stored, UserId};
use ringway_store::{DeviceId, Epoch, Mailbox, NewEntry, Offset, Place, StoreError};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::warn;

use self::desk::Desks;
pub(crate) use self::reading::run_errands;
pub(crate) use self::taken::tell_taken;
use self::waits::Waits;
use crate::worker::Shared;

/// The device of all sessions that name none.
const DEVICE_DEFAULT: &str = "default";

/// Where mailboxes are, and how the worker uses them.
#[derive(Clone)]
pub struct Mailboxes {
    pub(crate) store: Arc<dyn Mailbox>,
    /// For how long the ids of stored messages are known, at least.
    pub(crate) idempotency_window: std::time::Duration,
}

impl std::fmt::Debug for Mailboxes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailboxes").field("durability", &self.store.durability()).finish_non_exhaustive()
    }
}

impl Mailboxes {
    /// Mailboxes in this store, which knows the ids of messages for so long.
    pub fn new(store: Arc<dyn Mailbox>, idempotency_window: std::time::Duration) -> Self {
        Self { store, idempotency_window }
    }
}

/// The mailboxes of a worker's users.
pub(crate) struct Office {
    pub(crate) mailboxes: Mailboxes,
    desks: Mutex<Desks>,
    waits: Waits,
    /// Held by whoever tells the store what clients have taken.
    telling: tokio::sync::Mutex<()>,
    /// Desks that are served, and workers that are told of something.
    tasks: TaskTracker,
}

/// A message that is to be stored for a user.
pub(crate) struct ToStore {
    pub(crate) message: Message,
    pub(crate) keeping: Keeping,
    /// Told when one of the user's devices has acknowledged it.
    pub(crate) acknowledged: Option<oneshot::Sender<()>>,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct IsStored {
    pub(crate) offset: u64,
    pub(crate) reach: Reach,
    /// It was stored before.
    pub(crate) is_duplicate: bool,
}

/// What waits at a user's desk.
enum Order {
    Store(ToStore, oneshot::Sender<Result<IsStored, StoreError>>),
    Open(MailboxWish),
    /// Another worker may have stored something.
    Look(oneshot::Sender<Result<(), StoreError>>),
}

impl Office {
    pub(crate) fn new(mailboxes: Mailboxes) -> Self {
        Self {
            mailboxes,
            desks: Mutex::default(),
            waits: Waits::default(),
            telling: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
        }
    }
}

impl Shared {
    /// Stores a message for a user and puts it on the way to his sessions. Its place among the user's messages is fixed when this
    /// returns; what became of it comes later.
    pub(crate) fn store(
        self: &Arc<Self>,
        office: &Arc<Office>,
        user: &UserId,
        message: ToStore,
    ) -> oneshot::Receiver<Result<IsStored, StoreError>> {
        let (answer, stored) = oneshot::channel();
        self.enter(office, user, Order::Store(message, answer));
        stored
    }

    /// Looks whether something is in a user's mailbox that was not stored by this worker, and lets his sessions have it.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn look(
        self: &Arc<Self>,
        office: &Arc<Office>,
        user: &UserId,
    ) -> Result<(), StoreError> {
        let (answer, looked) = oneshot::channel();
        self.enter(office, user, Order::Look(answer));
        // It is dropped only when the worker ends.
        looked.await.unwrap_or(Ok(()))
    }

    /// Writes what is written late. Before users go to other workers, and at the end.
    pub(crate) async fn flush_mailboxes(self: &Arc<Self>) {
        let Some(office) = &self.office else { return };
        let flush = async {
            taken::tell_all(Arc::clone(self), Arc::clone(office)).await;
            office.mailboxes.store.flush().await
        };
        match timeout(self.config.flush_timeout, flush).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "what clients have taken could not be written"),
            Err(_) => warn!("what clients have taken could not be written in time"),
        }
    }

    /// Waits until everything that was given to desks is done, and others know of what was stored for their users. At the end.
    pub(crate) async fn close_mailboxes(&self) {
        let Some(office) = &self.office else { return };
        office.tasks.close();
        if timeout(self.config.flush_timeout, office.tasks.wait()).await.is_err() {
            warn!("some messages were not stored in time, or their users' workers could not be told");
        }
    }

    fn enter(self: &Arc<Self>, office: &Arc<Office>, user: &UserId, order: Order) {
        if office.desks.lock().enter(user, order) {
            office.tasks.spawn(desk::serve(Arc::clone(self), Arc::clone(office), user.clone()));
        }
    }
}

/// A message as it is stored.
fn entry(message: &Message, keeping: Keeping) -> NewEntry {
    NewEntry {
        message_id: message.id().to_owned(),
        topic: message.topic().to_owned(),
        from: message.from().to_owned(),
        payload: message.payload().clone(),
        time_to_live: keeping.time_to_live,
        until_first_ack: keeping.until_first_ack,
    }
}

fn stored(place: Place, until_first_ack: bool) -> Stored {
    Stored { place: MailboxPlace { epoch: place.epoch.number(), offset: place.offset.0 }, until_first_ack }
}

/// A place as the store knows it; none if no store has made it.
fn place(place: MailboxPlace) -> Option<Place> {
    Some(Place { epoch: Epoch::from_number(place.epoch)?, offset: Offset(place.offset) })
}

fn device(name: &str) -> Option<DeviceId> {
    DeviceId::new(if name.is_empty() { DEVICE_DEFAULT } else { name }).ok()
}
