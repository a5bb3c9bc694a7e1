//! The books of all mailboxes, and what of them is not on the disk yet.

use ringway_session::UserId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::disk::Changes;
use super::record;
use crate::book::{Book, Mark};
use crate::clock::UnixTime;
use crate::error::StoreError;
use crate::limits::Limits;
use crate::names::Epoch;

/// How many mailboxes a sweep looks at.
const SWEPT_AT_ONCE: usize = 10_000;

/// The number under which an entry stands in the database.
pub(super) type Key = u64;

#[derive(Default)]
pub(super) struct Shelf {
    pub(super) books: FxHashMap<UserId, Filed>,
    /// What the books' entries count together.
    pub(super) bytes: u64,
    /// Where the next entry goes.
    pub(super) next_key: Key,
    /// Whose heads are not on the disk as they are.
    pub(super) unwritten: FxHashSet<UserId>,
    /// Entries that are on the disk and in no book any more.
    pub(super) garbage: Vec<Key>,
    /// Who is yet to be looked at in this round of sweeping.
    unswept: Vec<UserId>,
}

/// A book, and when its head was written last.
pub(super) struct Filed {
    pub(super) book: Book<Key>,
    pub(super) written_at: UnixTime,
}

impl Shelf {
    /// A user's book, which is made if there is none.
    pub(super) fn book(&mut self, user: &UserId, now: UnixTime) -> &mut Book<Key> {
        let Self { books, unwritten, .. } = self;
        let filed = books.entry(user.clone()).or_insert_with(|| {
            unwritten.insert(user.clone());
            Filed { book: Book::new(Epoch::random(), now), written_at: now }
        });
        &mut filed.book
    }

    /// Somebody uses a mailbox.
    pub(super) fn touch(&mut self, user: &UserId, now: UnixTime, limits: &Limits) {
        self.book(user, now).touch(now);
        self.trim(user, now, limits);
    }

    /// Does something with a user's book that is written down late, if it says that there is news.
    pub(super) fn change(
        &mut self,
        user: &UserId,
        now: UnixTime,
        act: impl FnOnce(&mut Book<Key>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        if act(self.book(user, now))? {
            self.unwritten.insert(user.clone());
        }
        Ok(())
    }

    /// The disk has more entries of a user.
    pub(super) fn push(&mut self, user: &UserId, marks: Vec<Mark<Key>>, now: UnixTime, limits: &Limits) {
        let book = self.book(user, now);
        let before = book.cost_bytes();
        marks.into_iter().for_each(|mark| book.push(mark));
        self.bytes += self.book(user, now).cost_bytes() - before;
        self.trim(user, now, limits);
    }

    /// Takes out of a user's book what may go.
    pub(super) fn trim(&mut self, user: &UserId, now: UnixTime, limits: &Limits) {
        let Some(filed) = self.books.get_mut(user) else { return };
        let trimmed = filed.book.trim(now, limits);
        self.bytes -= trimmed.cost_bytes;
        self.garbage.extend(trimmed.places);
        if trimmed.is_news || filed.book.is_refresh_due(filed.written_at, limits) {
            self.unwritten.insert(user.clone());
        }
    }

    /// Looks at some mailboxes whose users may be doing nothing; gives back those that are forgotten.
    pub(super) fn sweep(&mut self, now: UnixTime, limits: &Limits) -> Vec<UserId> {
        if self.unswept.is_empty() {
            self.unswept = self.books.keys().cloned().collect();
        }
        let rest = self.unswept.len().saturating_sub(SWEPT_AT_ONCE);
        let mut forgotten = Vec::new();
        for user in self.unswept.split_off(rest) {
            self.trim(&user, now, limits);
            if self.books.get(&user).is_some_and(|filed| filed.book.is_forgettable(now, limits)) {
                self.books.remove(&user);
                forgotten.push(user);
            }
        }
        forgotten
    }

    /// Moves what is not on the disk yet into a transaction.
    pub(super) fn take_unwritten(&mut self, now: UnixTime, changes: &mut Changes) {
        changes.removed.append(&mut self.garbage);
        for user in self.unwritten.drain() {
            if let Some(filed) = self.books.get_mut(&user) {
                filed.written_at = now;
                changes.heads.push((user.as_str().to_owned(), record::write_head(&filed.book.head())));
            }
        }
    }
}
