//! Mailboxes in the memory of one process.
//!
//! They are lost with the process, so that every mailbox has a new epoch after it; and no other worker sees them. For a
//! single worker, and for tests.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use ringway_session::{DeviceId, UserId};
use rustc_hash::FxHashMap;

use crate::book::{Book, Mark};
use crate::clock::{Clock, UnixTime};
use crate::durability::Durability;
use crate::entry::{Entry, NewEntry, Page, PageBounds};
use crate::error::StoreError;
use crate::limits::Limits;
use crate::mailbox::{Appended, Mailbox};
use crate::names::{Epoch, Offset, Place};
use crate::state::MailboxState;

const STORE: &str = "memory";

/// Mailboxes of users that do nothing are looked at after at least so many calls.
const SWEEP_EVERY_CALLS_MIN: usize = 1024;

/// Mailboxes in memory. Clones are the same store.
#[derive(Clone)]
pub struct MemoryMailbox(Arc<Inner>);

struct Inner {
    limits: Limits,
    /// What all mailboxes may hold together.
    bytes_max: u64,
    clock: Clock,
    shelves: Mutex<Shelves>,
}

#[derive(Default)]
struct Shelves {
    books: FxHashMap<UserId, Book<Arc<Entry>>>,
    bytes: u64,
    calls: usize,
}

impl MemoryMailbox {
    /// An empty store that holds at most so many bytes, as mailboxes count them.
    pub fn new(limits: Limits, bytes_max: u64, clock: Clock) -> Self {
        Self(Arc::new(Inner { limits, bytes_max, clock, shelves: Mutex::default() }))
    }

    /// Does something with a user's book, which is made if there is none. Before and after it everything that may go has gone.
    fn with<T>(&self, user: &UserId, act: impl FnOnce(&mut Book<Arc<Entry>>, Occasion) -> T) -> T {
        let Inner { limits, clock, shelves, .. } = &*self.0;
        let now = clock.now();
        let mut shelves = shelves.lock();
        shelves.sweep(now, limits);
        let Shelves { books, bytes, .. } = &mut *shelves;
        let book = books.entry(user.clone()).or_insert_with(|| Book::new(Epoch::random(), now));
        *bytes -= book.cost_bytes();
        book.trim(now, limits);
        let done = act(book, Occasion { now, bytes_elsewhere: *bytes });
        book.trim(now, limits);
        *bytes += book.cost_bytes();
        done
    }

    fn check_room(&self, bytes: u64, entries: &[NewEntry]) -> Result<(), StoreError> {
        let bytes_max = self.0.bytes_max;
        let wanted = entries.iter().map(NewEntry::cost_bytes).sum::<u64>();
        if bytes + wanted <= bytes_max {
            return Ok(());
        }
        Err(StoreError::Full { store: STORE, reason: format!("it holds {bytes} of {bytes_max} bytes") })
    }
}

/// When something is done with a book, and what the others hold.
struct Occasion {
    now: UnixTime,
    bytes_elsewhere: u64,
}

impl Shelves {
    /// Looks at all mailboxes, once for as many calls as there are mailboxes.
    fn sweep(&mut self, now: UnixTime, limits: &Limits) {
        self.calls += 1;
        if self.calls < self.books.len().max(SWEEP_EVERY_CALLS_MIN) {
            return;
        }
        self.calls = 0;
        self.books.values_mut().for_each(|book| _ = book.trim(now, limits));
        self.books.retain(|_, book| !book.is_forgettable(now, limits));
        self.bytes = self.books.values().map(Book::cost_bytes).sum();
    }
}

#[async_trait]
impl Mailbox for MemoryMailbox {
    fn durability(&self) -> Durability {
        Durability::Volatile
    }

    async fn open(&self, user: &UserId) -> Result<MailboxState, StoreError> {
        self.with(user, |book, Occasion { now, .. }| {
            book.touch(now);
            book.state(now, &self.0.limits, |entry| Ok(Some(entry.message_id.clone())))
        })
    }

    async fn append(&self, user: &UserId, at: Place, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.0.limits.check_size(&entries)?;
        let appended = self.with(user, |book, Occasion { now, bytes_elsewhere }| {
            book.check_end(at)?;
            self.check_room(bytes_elsewhere + book.cost_bytes(), &entries)?;
            for entry in entries {
                book.push(mark(Arc::new(entry.stored(book.next(), now, &self.0.limits))));
            }
            Ok(())
        });
        appended?;
        Ok(self.with(user, |book, _| Appended { next: book.end(), first: book.first() }))
    }

    async fn range(&self, user: &UserId, after: Place, bounds: PageBounds) -> Result<Page, StoreError> {
        self.with(user, |book, Occasion { now, .. }| {
            book.check_epoch(after.epoch)?;
            let reading = book.read(after.offset, bounds, now);
            let entries = reading.places.iter().map(|(_, entry)| Entry::clone(entry)).collect();
            Ok(reading.page(entries))
        })
    }

    async fn acknowledge(&self, user: &UserId, device: &DeviceId, upto: Place) -> Result<(), StoreError> {
        self.with(user, |book, Occasion { now, .. }| {
            book.acknowledge(device, upto, now, &self.0.limits).map(drop)
        })
    }

    async fn withdraw(&self, user: &UserId, epoch: Epoch, offsets: &[Offset]) -> Result<(), StoreError> {
        self.with(user, |book, _| book.withdraw(epoch, offsets).map(drop))
    }

    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn mark(entry: Arc<Entry>) -> Mark<Arc<Entry>> {
    let (stored_at, expires_at, cost_bytes) = (entry.stored_at, entry.expires_at, entry.cost_bytes());
    Mark { stored_at, expires_at, cost_bytes, place: Some(entry) }
}
