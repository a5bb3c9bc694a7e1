//! The database: what stands where, and what a transaction of ours is.

use std::panic::catch_unwind;
use std::path::Path;

use redb::{Builder, Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::STORE;
use crate::error::StoreError;

/// Entries by the order in which they came.
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
/// Heads of mailboxes by user.
const HEADS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("mailboxes");

/// The database's file in its directory.
pub(super) const FILE: &str = "mailboxes.redb";

pub(super) struct Disk(Database);

/// What was found when a database was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It is as it was left.
    Whole,
    /// Something was damaged, and may be missing.
    Repaired,
}

/// What is changed together.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) put: Vec<(u64, Vec<u8>)>,
    pub(super) removed: Vec<u64>,
    pub(super) heads: Vec<(String, Vec<u8>)>,
    pub(super) forgotten: Vec<String>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.put.is_empty() && self.removed.is_empty() && self.heads.is_empty() && self.forgotten.is_empty()
    }
}

impl Disk {
    /// Opens the database, makes it if there is none, and repairs it if it was not closed. Checks every page of it.
    ///
    /// A database that is damaged may make its library panic. That is an error like others here.
    pub(super) fn open(directory: &Path, cache_bytes: usize) -> Result<(Self, Health), StoreError> {
        let refused = |reason: String| StoreError::Refused { store: STORE, reason };
        let opened = catch_unwind(|| Self::open_unguarded(directory, cache_bytes));
        match opened {
            Ok(opened) => opened.map_err(|error| refused(format!("{}: {error}", directory.display()))),
            Err(_) => Err(refused(format!("{} is damaged", directory.join(FILE).display()))),
        }
    }

    fn open_unguarded(directory: &Path, cache_bytes: usize) -> Result<(Self, Health), redb::Error> {
        std::fs::create_dir_all(directory)?;
        let mut disk = Self(Builder::new().set_cache_size(cache_bytes).create(directory.join(FILE))?);
        let health = if disk.0.check_integrity()? { Health::Whole } else { Health::Repaired };
        disk.make_tables()?;
        Ok((disk, health))
    }

    fn make_tables(&self) -> Result<(), redb::Error> {
        let transaction = self.0.begin_write()?;
        transaction.open_table(ENTRIES)?;
        transaction.open_table(HEADS)?;
        Ok(transaction.commit()?)
    }

    /// Makes the file smaller if it is larger than that.
    pub(super) fn shrink(&mut self, bytes_max: u64, directory: &Path) -> Result<(), StoreError> {
        let bytes = std::fs::metadata(directory.join(FILE)).map_or(0, |file| file.len());
        if bytes <= bytes_max {
            return Ok(());
        }
        self.0.compact().map(drop).map_err(|error| unavailable(&error))
    }

    /// Changes all of this or nothing. When it returns, the disk has it.
    pub(super) fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        self.write(changes).map_err(|error| unavailable(&error))
    }

    fn write(&self, changes: &Changes) -> Result<(), redb::Error> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut entries = transaction.open_table(ENTRIES)?;
            for (key, record) in &changes.put {
                entries.insert(key, record.as_slice())?;
            }
            for key in &changes.removed {
                entries.remove(key)?;
            }
            let mut heads = transaction.open_table(HEADS)?;
            for (user, record) in &changes.heads {
                heads.insert(user.as_str(), record.as_slice())?;
            }
            for user in &changes.forgotten {
                heads.remove(user.as_str())?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Shows records by key, as they are now: `None` for those that are not there.
    pub(super) fn read(
        &self,
        keys: impl Iterator<Item = u64>,
        mut show: impl FnMut(Option<&[u8]>),
    ) -> Result<(), StoreError> {
        let read = || -> Result<(), redb::Error> {
            let entries = self.0.begin_read()?.open_table(ENTRIES)?;
            for key in keys {
                show(entries.get(key)?.as_ref().map(redb::AccessGuard::value));
            }
            Ok(())
        };
        read().map_err(|error| unavailable(&error))
    }

    /// Shows all heads.
    pub(super) fn scan_heads(&self, mut show: impl FnMut(&str, &[u8])) -> Result<(), StoreError> {
        let mut scan = || -> Result<(), redb::Error> {
            for item in self.0.begin_read()?.open_table(HEADS)?.iter()? {
                let (user, record) = item?;
                show(user.value(), record.value());
            }
            Ok(())
        };
        scan().map_err(|error| unavailable(&error))
    }

    /// Shows all entries in the order in which they came.
    pub(super) fn scan_entries(&self, mut show: impl FnMut(u64, &[u8])) -> Result<(), StoreError> {
        let mut scan = || -> Result<(), redb::Error> {
            for item in self.0.begin_read()?.open_table(ENTRIES)?.iter()? {
                let (key, record) = item?;
                show(key.value(), record.value());
            }
            Ok(())
        };
        scan().map_err(|error| unavailable(&error))
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable { store: STORE, reason: error.to_string() }
}
