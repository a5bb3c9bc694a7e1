//! What a store under test must say about itself, and what the cases have in common.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ringway_session::{Kind, Payload, UserId};
use ringway_store::{
    DeviceId, Limits, Mailbox, MailboxState, ManualClock, NewEntry, Offset, Page, PageBounds, Place, UnixTime,
};

/// The bounds with which a fixture makes its store.
pub(crate) const LIMITS: Limits = Limits {
    entries_max: 300,
    bytes_max: 100_000,
    time_to_live: Duration::from_secs(100),
    idempotency_window: Duration::from_secs(10),
    device_forget_after: Duration::from_secs(1000),
    devices_max: 3,
    mailbox_forget_after: Duration::from_secs(5000),
};

/// Everything at once.
pub(crate) const ALL: PageBounds = PageBounds { entries_max: usize::MAX, bytes_max: u64::MAX };

/// Makes handles of one store.
#[async_trait]
pub(crate) trait Fixture: Send + Sync {
    /// A handle as another worker would have it if the store is shared, or else the same worker.
    async fn handle(&self) -> Box<dyn Mailbox>;

    /// Ends every process that has the store open, and the store's own, and starts one again. Handles from before are of no
    /// use.
    async fn restart(&self) -> Box<dyn Mailbox>;

    /// The clock of the store.
    fn clock(&self) -> &ManualClock;

    /// Whether unused mailboxes are forgotten by that clock; otherwise by somebody else's.
    fn forgets_by_clock(&self) -> bool;
}

/// A clock to begin with.
pub(crate) fn clock() -> ManualClock {
    ManualClock::at(UnixTime(1_700_000_000_000))
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).expect("a good name")
}

pub(crate) fn device(name: &str) -> DeviceId {
    DeviceId::new(name).expect("a good name")
}

/// A message that says its name.
#[expect(clippy::needless_pass_by_value, reason = "names are given as they come")]
pub(crate) fn message(name: impl ToString) -> NewEntry {
    let name = name.to_string();
    let payload = Payload::new(Bytes::from(format!("this is {name}")), Kind::Text).expect("a text");
    NewEntry {
        message_id: name,
        topic: "topic".to_owned(),
        from: String::new(),
        payload,
        time_to_live: None,
        until_first_ack: false,
    }
}

/// A handle with a mailbox in it, into which so many messages were put: `1`, `2`, ….
pub(crate) async fn filled(fixture: &dyn Fixture, count: u64) -> (Box<dyn Mailbox>, UserId, MailboxState) {
    let (handle, alice) = (fixture.handle().await, user("alice"));
    let state = open(&*handle, &alice).await;
    if count > 0 {
        append(&*handle, &alice, state.end(), (1..=count).map(message)).await;
    }
    let state = open(&*handle, &alice).await;
    (handle, alice, state)
}

pub(crate) async fn open(handle: &dyn Mailbox, user: &UserId) -> MailboxState {
    handle.open(user).await.expect("the store opens a mailbox")
}

/// Appends, and says where the next append belongs.
pub(crate) async fn append(
    handle: &dyn Mailbox,
    user: &UserId,
    at: Place,
    entries: impl IntoIterator<Item = NewEntry>,
) -> Place {
    handle.append(user, at, entries.into_iter().collect()).await.expect("the store takes it").next
}

/// Everything behind an offset.
pub(crate) async fn read(handle: &dyn Mailbox, user: &UserId, after: u64) -> Page {
    let state = open(handle, user).await;
    let after = Place { epoch: state.epoch, offset: Offset(after) };
    handle.range(user, after, ALL).await.expect("the store reads")
}

/// The offsets and ids of a page.
pub(crate) fn names(page: &Page) -> Vec<(u64, &str)> {
    page.entries.iter().map(|entry| (entry.offset.0, entry.message_id.as_str())).collect()
}

pub(crate) async fn acknowledge(handle: &dyn Mailbox, user: &UserId, name: &str, offset: u64) {
    let upto = Place { epoch: open(handle, user).await.epoch, offset: Offset(offset) };
    handle.acknowledge(user, &device(name), upto).await.expect("the store takes an acknowledgement");
}

/// Lets the idempotency window pass.
pub(crate) fn pass_window(fixture: &dyn Fixture) {
    fixture.clock().advance(LIMITS.idempotency_window);
}
