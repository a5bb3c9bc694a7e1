//! Appends that become one transaction.

use ringway_session::UserId;
use rustc_hash::FxHashMap;

use super::disk::Changes;
use super::load::mark;
use super::shelf::Key;
use super::writer::{Append, Shared};
use super::{STORE, record};
use crate::book::Mark;
use crate::clock::UnixTime;
use crate::entry::NewEntry;
use crate::error::StoreError;
use crate::mailbox::Appended;
use crate::names::Place;

pub(super) struct Batch<'a> {
    shared: &'a Shared,
    now: UnixTime,
    changes: Changes,
    /// Where the mailboxes of this transaction will end.
    ends: FxHashMap<UserId, Place>,
    accepted: Vec<Accepted>,
    next_key: Key,
    /// What all mailboxes will hold.
    bytes: u64,
}

struct Accepted {
    append: Append,
    marks: Vec<Mark<Key>>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        let (now, shelf) = (shared.clock.now(), shared.shelf.lock());
        let (next_key, bytes) = (shelf.next_key, shelf.bytes);
        drop(shelf);
        let changes = Changes::default();
        Self { shared, now, changes, ends: FxHashMap::default(), accepted: Vec::new(), next_key, bytes }
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Takes an append in, or refuses it.
    pub(super) fn admit(&mut self, mut append: Append) {
        match self.check(&append) {
            Ok(end) => {
                let marks = self.put(&append.user, end, std::mem::take(&mut append.entries));
                self.accepted.push(Accepted { append, marks });
            }
            // Whoever does not wait for it any more does not need it.
            Err(error) => _ = append.reply.send(Err(error)),
        }
    }

    fn check(&self, append: &Append) -> Result<Place, StoreError> {
        let end = self.ends.get(&append.user).copied();
        let end = end.unwrap_or_else(|| self.shared.shelf.lock().book(&append.user, self.now).end());
        if append.at != end {
            return Err(StoreError::Conflict);
        }
        let (bytes, bytes_max) = (self.bytes, self.shared.config.bytes_max);
        let wanted = append.entries.iter().map(NewEntry::cost_bytes).sum::<u64>();
        if bytes + wanted > bytes_max {
            return Err(StoreError::Full {
                store: STORE,
                reason: format!("it holds {bytes} of {bytes_max} bytes"),
            });
        }
        Ok(end)
    }

    fn put(&mut self, user: &UserId, mut end: Place, entries: Vec<NewEntry>) -> Vec<Mark<Key>> {
        let mut marks = Vec::with_capacity(entries.len());
        for entry in entries {
            let entry = entry.stored(end.offset, self.now, &self.shared.config.limits);
            self.changes.put.push((self.next_key, record::write_entry(user, end.epoch, &entry)));
            marks.push(mark(self.next_key, &entry));
            self.bytes += entry.cost_bytes();
            self.next_key += 1;
            end.offset = end.offset.next();
        }
        self.ends.insert(user.clone(), end);
        marks
    }

    /// Tells everybody what became of the transaction.
    pub(super) fn answer(self, committed: &Result<(), StoreError>) {
        let mut shelf = self.shared.shelf.lock();
        let limits = &self.shared.config.limits;
        for Accepted { append, marks } in self.accepted {
            let answer = committed.clone().map(|()| {
                shelf.push(&append.user, marks, self.now, limits);
                let book = shelf.book(&append.user, self.now);
                Appended { next: book.end(), first: book.first() }
            });
            // Whoever does not wait for it any more finds it when it opens the mailbox again.
            _ = append.reply.send(answer);
        }
        shelf.next_key = shelf.next_key.max(self.next_key);
    }
}
