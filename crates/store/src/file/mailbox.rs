//! The store itself: what is asked of it, on the callers' side.

use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use ringway_session::{DeviceId, UserId};
use tokio::sync::{mpsc, oneshot};

use super::shelf::Key;
use super::writer::{Append, Job, Shared, WriterTask};
use super::{FileConfig, STORE, load, record};
use crate::clock::Clock;
use crate::durability::Durability;
use crate::entry::{Entry, NewEntry, Page, PageBounds};
use crate::error::StoreError;
use crate::mailbox::{Appended, Mailbox};
use crate::names::{Epoch, Offset, Place};
use crate::state::MailboxState;

/// How much of the file may be unused before it is made smaller when it is opened, in bytes.
const UNUSED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Mailboxes in a file. Clones are the same store. When the last one is dropped, what is written late is written, and the
/// file is free for others; this waits for the disk.
#[derive(Clone)]
pub struct FileMailbox(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl FileMailbox {
    /// Opens the mailboxes of a directory, which nobody else has open. Reads and checks all of the file.
    ///
    /// # Errors
    /// `Refused` if the directory cannot be used: another process has it, it cannot be written, or what is in it cannot be
    /// repaired. `Unavailable` if the disk fails meanwhile.
    pub fn open(config: FileConfig, clock: Clock) -> Result<Self, StoreError> {
        let (mut disk, shelf) = load::open(&config, clock.now())?;
        disk.shrink(shelf.bytes * 2 + UNUSED_BYTES_MAX, &config.directory)?;
        let (sender, jobs) = mpsc::channel(config.queue_calls_max);
        let (shelf, disk) = (Mutex::new(shelf), RwLock::new(Some(Arc::new(disk))));
        let shared = Arc::new(Shared { config, clock, shelf, disk });
        let writer = start(WriterTask { shared: Arc::clone(&shared), jobs })?;
        Ok(Self(Arc::new(Inner { shared, jobs: Some(sender), writer: Some(writer) })))
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.0.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job(reply)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Reads entries, those that are still there. Reading waits for the disk and so has a thread of its own.
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<Entry>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let disk = self.0.shared.disk()?;
        let read = tokio::task::spawn_blocking(move || {
            let mut entries = Vec::with_capacity(keys.len());
            let entry = |bytes: Option<&[u8]>| bytes.and_then(record::read_entry).map(|(_, _, entry)| entry);
            disk.read(keys.into_iter(), |bytes| entries.push(entry(bytes)))?;
            Ok(entries)
        });
        read.await.unwrap_or_else(|_| Err(ended()))
    }
}

#[async_trait]
impl Mailbox for FileMailbox {
    fn durability(&self) -> Durability {
        Durability::Machine
    }

    async fn open(&self, user: &UserId) -> Result<MailboxState, StoreError> {
        let Shared { config, clock, shelf, .. } = &*self.0.shared;
        self.0.shared.disk()?;
        let (mut keys, now) = (Vec::new(), clock.now());
        let state = {
            let mut shelf = shelf.lock();
            shelf.touch(user, now, &config.limits);
            let note = |key: &Key| {
                keys.push(*key);
                Ok::<_, StoreError>(Some(String::new()))
            };
            shelf.book(user, now).state(now, &config.limits, note)?
        };
        let entries = self.read(keys).await?;
        let recent = state.recent.into_iter().zip(entries).filter_map(|(mut stored, entry)| {
            stored.message_id = entry?.message_id;
            Some(stored)
        });
        Ok(MailboxState { recent: recent.collect(), ..state })
    }

    async fn append(&self, user: &UserId, at: Place, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.0.shared.config.limits.check_size(&entries)?;
        let user = user.clone();
        self.ask(|reply| Job::Append(Append { user, at, entries, reply })).await
    }

    async fn range(&self, user: &UserId, after: Place, bounds: PageBounds) -> Result<Page, StoreError> {
        let Shared { clock, shelf, .. } = &*self.0.shared;
        let mut reading = {
            let (mut shelf, now) = (shelf.lock(), clock.now());
            let book = shelf.book(user, now);
            book.check_epoch(after.epoch)?;
            book.read(after.offset, bounds, now)
        };
        let entries = self.read(reading.places.iter().map(|(_, key)| *key).collect()).await?;
        for (entry, (offset, _)) in entries.iter().zip(&reading.places) {
            // It was removed meanwhile.
            if entry.is_none() {
                reading.left_out.removed += 1;
                reading.gone_to = reading.gone_to.max(*offset);
            }
        }
        Ok(reading.page(entries.into_iter().flatten().collect()))
    }

    async fn acknowledge(&self, user: &UserId, device: &DeviceId, upto: Place) -> Result<(), StoreError> {
        let Shared { config, clock, shelf, .. } = &*self.0.shared;
        let now = clock.now();
        shelf.lock().change(user, now, |book| book.acknowledge(device, upto, now, &config.limits))
    }

    async fn withdraw(&self, user: &UserId, epoch: Epoch, offsets: &[Offset]) -> Result<(), StoreError> {
        let Shared { clock, shelf, .. } = &*self.0.shared;
        shelf.lock().change(user, clock.now(), |book| book.withdraw(epoch, offsets))
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.ask(Job::Flush).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            writer.join().unwrap_or_else(|_| tracing::error!("the writer of the mailboxes has panicked"));
        }
    }
}

/// Gives the writer a thread of its own, on which nothing but the disk is waited for.
fn start(task: WriterTask) -> Result<JoinHandle<()>, StoreError> {
    let refused = |error: std::io::Error| StoreError::Refused { store: STORE, reason: error.to_string() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(refused)?;
    let named = std::thread::Builder::new().name("mailboxes".to_owned());
    named.spawn(move || runtime.block_on(task.run())).map_err(refused)
}

fn ended() -> StoreError {
    StoreError::Unavailable { store: STORE, reason: "its writer has ended".to_owned() }
}
