//! Making the books from what is on the disk.
//!
//! A record that is damaged says neither whose it was nor where it stood. If it was the last one of its mailbox, its offset
//! will be given again, and a client that had it would not see the difference. So after damage every mailbox has a new
//! epoch: all clients are told that they may have missed something, which is true.

use ringway_session::UserId;

use super::FileConfig;
use super::disk::{Disk, Health};
use super::record;
use super::shelf::{Filed, Key, Shelf};
use crate::book::{Book, Head, Mark};
use crate::clock::UnixTime;
use crate::entry::Entry;
use crate::error::StoreError;
use crate::names::{Epoch, Offset};

/// Opens the database of a directory, and makes the books of what is in it.
pub(super) fn open(config: &FileConfig, now: UnixTime) -> Result<(Disk, Shelf), StoreError> {
    let (disk, health) = Disk::open(&config.directory, config.cache_bytes)?;
    let damaged = u64::from(health == Health::Repaired);
    let mut loading = Loading { shelf: Shelf::default(), nexts: Vec::new(), damaged, now };
    disk.scan_heads(|user, bytes| loading.head(user, bytes))?;
    disk.scan_entries(|key, bytes| loading.entry(key, bytes))?;
    let shelf = loading.finish();
    Ok((disk, shelf))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::disk::Changes;
    use crate::limits::Limits;

    fn entry(offset: u64) -> Entry {
        let payload = ringway_session::Payload::new("x".into(), ringway_session::Kind::Text).unwrap();
        let new = crate::NewEntry {
            message_id: "m".into(),
            topic: String::new(),
            from: String::new(),
            payload,
            time_to_live: None,
            until_first_ack: false,
        };
        new.stored(Offset(offset), UnixTime(1000), &Limits::default())
    }

    /// What is on the disk, and whether that is a hole: entries by their keys, one of which may be damaged.
    #[test]
    fn damaged_records_make_new_epochs() {
        let epoch = Epoch::random();
        let (alice, bob) = (UserId::new("alice").unwrap(), UserId::new("bob").unwrap());
        let record = |user: &UserId, offset| record::write_entry(user, epoch, &entry(offset));
        let whole =
            [(0, record(&alice, 1)), (1, record(&alice, 2)), (2, record(&alice, 3)), (7, record(&bob, 1))];
        for damaged in [None, Some(0), Some(1), Some(2)] {
            let directory = tempfile::tempdir().unwrap();
            let config = FileConfig::new(directory.path());
            let mut changes = Changes { put: whole.to_vec(), ..Changes::default() };
            damaged.into_iter().for_each(|index: usize| changes.put[index].1[20] ^= 1);
            Disk::open(&config.directory, config.cache_bytes).unwrap().0.commit(&changes).unwrap();
            let (_, shelf) = open(&config, UnixTime(1000)).unwrap();
            assert_eq!((shelf.next_key, shelf.garbage.len()), (8, usize::from(damaged.is_some())));
            for user in [&alice, &bob] {
                assert_eq!(shelf.books[user].book.epoch() == epoch, damaged.is_none(), "{damaged:?}: {user}");
            }
            let expected = [
                (Offset(4), Offset(1)),
                (Offset(4), Offset(2)),
                (Offset(4), Offset(3)),
                (Offset(3), Offset(1)),
            ];
            let book = &shelf.books[&alice].book;
            assert_eq!((book.next(), book.intact_from()), expected[damaged.map_or(0, |index| index + 1)]);
        }
    }
}
