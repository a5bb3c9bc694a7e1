//! The database: what stands where, and what a transaction of ours is.

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
    /// Opens the database, makes it if there is none, and repairs it if it was not closed.
    pub(super) fn open(directory: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        let failed = |error: &dyn std::fmt::Display| {
            let reason = format!("{}: {error}", directory.display());
            StoreError::Refused { store: STORE, reason }
        };
        std::fs::create_dir_all(directory).map_err(|error| failed(&error))?;
        let database = Builder::new().set_cache_size(cache_bytes).create(directory.join(FILE));
        let disk = Self(database.map_err(|error| failed(&error))?);
        disk.make_tables().map_err(|error| failed(&error))?;
        Ok(disk)
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
