//! The one who writes: all appends that wait become one transaction, and are confirmed when the disk has it.
//!
//! A database that has failed is closed and opened again at every sweep until that succeeds. The books are then made anew from
//! what the disk has, since nobody knows whether the failed transaction is among it.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::batch::Batch;
use super::disk::{Changes, Disk};
use super::shelf::Shelf;
use super::{FileConfig, STORE, load};
use crate::clock::Clock;
use crate::entry::NewEntry;
use crate::error::StoreError;
use crate::mailbox::Appended;
use crate::names::Place;
use ringway_session::UserId;

pub(super) enum Job {
    Append(Append),
    /// Write what is written late.
    Flush(oneshot::Sender<Result<(), StoreError>>),
}

pub(super) struct Append {
    pub(super) user: UserId,
    pub(super) at: Place,
    pub(super) entries: Vec<NewEntry>,
    pub(super) reply: oneshot::Sender<Result<Appended, StoreError>>,
}

/// What readers and the writer share.
pub(super) struct Shared {
    pub(super) config: FileConfig,
    pub(super) clock: Clock,
    pub(super) shelf: Mutex<Shelf>,
    /// None while the database has failed and was not opened again.
    pub(super) disk: RwLock<Option<Arc<Disk>>>,
}

impl Shared {
    pub(super) fn disk(&self) -> Result<Arc<Disk>, StoreError> {
        let closed = || StoreError::Unavailable { store: STORE, reason: "its disk has failed".to_owned() };
        self.disk.read().clone().ok_or_else(closed)
    }
}

pub(super) struct WriterTask {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: mpsc::Receiver<Job>,
}

impl WriterTask {
    /// Writes until nobody can ask for it any more.
    pub(super) async fn run(mut self) {
        let mut sweep = tokio::time::interval(self.shared.config.sweep_every);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let jobs_max = self.shared.config.queue_calls_max;
        let mut jobs = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = sweep.tick() => self.sweep(),
                count = self.jobs.recv_many(&mut jobs, jobs_max) => match count {
                    0 => break,
                    _ => self.work(jobs.drain(..)),
                },
            }
        }
        self.write_late(Vec::new()).unwrap_or_else(|error| self.close(&error));
    }

    fn work(&self, jobs: impl Iterator<Item = Job>) {
        let (mut appends, mut flushes) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Append(append) => appends.push(append),
                Job::Flush(reply) => flushes.push(reply),
            }
        }
        while !appends.is_empty() {
            self.append(&mut appends);
        }
        if !flushes.is_empty() {
            let written = self.write_late(Vec::new());
            // Whoever does not wait for it any more does not need it.
            flushes.into_iter().for_each(|reply| _ = reply.send(written.clone()));
        }
    }

    /// One transaction, after which its appends are answered.
    fn append(&self, appends: &mut Vec<Append>) {
        let mut batch = Batch::new(&self.shared);
        let fits = appends.iter().scan(0, |entries, append| {
            *entries += append.entries.len();
            Some(*entries)
        });
        let count =
            fits.take_while(|entries| *entries <= self.shared.config.commit_entries_max).count().max(1);
        appends.drain(..count).for_each(|append| batch.admit(append));
        let committed = self.commit(batch.changes());
        batch.answer(&committed);
    }

    fn sweep(&self) {
        if self.shared.disk.read().is_none() {
            self.open_again();
        } else {
            let (now, limits) = (self.shared.clock.now(), self.shared.config.limits);
            let forgotten = self.shared.shelf.lock().sweep(now, &limits);
            let forgotten = forgotten.iter().map(|user| user.as_str().to_owned()).collect();
            self.write_late(forgotten).unwrap_or_else(|error| self.close(&error));
        }
    }

    fn write_late(&self, forgotten: Vec<String>) -> Result<(), StoreError> {
        let mut changes = Changes { forgotten, ..Changes::default() };
        self.shared.shelf.lock().take_unwritten(self.shared.clock.now(), &mut changes);
        self.commit(&changes)
    }

    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let committed = self.shared.disk().and_then(|disk| disk.commit(changes));
        committed.inspect_err(|error| self.close(error))
    }

    fn close(&self, error: &StoreError) {
        if self.shared.disk.write().take().is_some() {
            tracing::error!(%error, "the disk has failed: mailboxes are closed");
        }
    }

    fn open_again(&self) {
        let Shared { config, clock, shelf, disk } = &*self.shared;
        match load::open(config, clock.now()) {
            Ok((opened, loaded)) => {
                *shelf.lock() = loaded;
                *disk.write() = Some(Arc::new(opened));
                tracing::info!("the disk works again: mailboxes are open");
            }
            Err(error) => tracing::debug!(%error, "the disk does not work yet"),
        }
    }
}
