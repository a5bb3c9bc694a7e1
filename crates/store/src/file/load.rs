//! Making the books from what is on the disk.
//!
//! A record that is damaged says neither whose it was nor where it stood. If it was the last one of its mailbox, its offset
//! will be given again, and a client that had it would not see the difference. So after damage every mailbox has a new
//! epoch: all clients are told that they may have missed something, which is true.

use ringway_session::UserId;

use super::disk::Disk;
use super::record;
use super::shelf::{Filed, Key, Shelf};
use crate::book::{Book, Head, Mark};
use crate::clock::UnixTime;
use crate::entry::Entry;
use crate::error::StoreError;
use crate::names::{Epoch, Offset};

/// The books of what is on the disk.
pub(super) fn load(disk: &Disk, now: UnixTime) -> Result<Shelf, StoreError> {
    let mut loading = Loading { shelf: Shelf::default(), nexts: Vec::new(), damaged: 0, now };
    disk.scan_heads(|user, bytes| loading.head(user, bytes))?;
    disk.scan_entries(|key, bytes| loading.entry(key, bytes))?;
    Ok(loading.finish())
}

struct Loading {
    shelf: Shelf,
    /// Where the mailboxes ended when their heads were written.
    nexts: Vec<(UserId, Offset)>,
    damaged: u64,
    now: UnixTime,
}

impl Loading {
    fn head(&mut self, user: &str, bytes: &[u8]) {
        let (Ok(user), Some(head)) = (UserId::new(user), record::read_head(bytes)) else {
            self.damaged += 1;
            return;
        };
        self.nexts.push((user.clone(), head.next));
        let filed = Filed { written_at: head.used_at, book: Book::from_head(head) };
        self.shelf.books.insert(user, filed);
    }

    fn entry(&mut self, key: Key, bytes: &[u8]) {
        self.shelf.next_key = key + 1;
        let loaded = match record::read_entry(bytes) {
            Some((user, epoch, entry)) => self.load(user, epoch, key, &entry),
            None => {
                self.damaged += 1;
                false
            }
        };
        if !loaded {
            self.shelf.garbage.push(key);
        }
    }

    /// A mailbox without a head is one whose head was not written yet: its epoch is with its entries.
    fn load(&mut self, user: UserId, epoch: Epoch, key: Key, entry: &Entry) -> bool {
        let now = self.now;
        let new = || Filed { book: Book::from_head(Head::new(epoch, now)), written_at: now };
        let filed = self.shelf.books.entry(user).or_insert_with(new);
        let loaded = filed.book.load(entry.offset, mark(key, entry));
        self.shelf.bytes += if loaded { entry.cost_bytes() } else { 0 };
        loaded
    }

    fn finish(mut self) -> Shelf {
        for (user, next) in self.nexts {
            if let Some(filed) = self.shelf.books.get_mut(&user) {
                filed.book.complete(next);
            }
        }
        if self.damaged > 0 {
            tracing::error!(
                records = self.damaged,
                "records of mailboxes are damaged: all mailboxes begin a new epoch"
            );
            self.shelf.books.values_mut().for_each(|filed| filed.book.renew(Epoch::random()));
            self.shelf.unwritten.extend(self.shelf.books.keys().cloned());
        }
        self.shelf
    }
}

/// What the book knows of an entry that stands at this key.
pub(super) fn mark(key: Key, entry: &Entry) -> Mark<Key> {
    let (stored_at, expires_at, cost_bytes) = (entry.stored_at, entry.expires_at, entry.cost_bytes());
    Mark { stored_at, expires_at, cost_bytes, place: Some(key) }
}
