//! What a [`FileMailbox`](super::FileMailbox) must be told.

use std::path::PathBuf;
use std::time::Duration;

use crate::limits::Limits;

/// Where the mailboxes are, and what bounds them.
#[derive(Clone, Debug)]
pub struct FileConfig {
    /// The directory. It is made if it is not there.
    pub directory: PathBuf,
    /// What bounds each mailbox.
    pub limits: Limits,
    /// What all mailboxes may hold together, in bytes as mailboxes count them. Beyond it appends are refused as `Full`. The file
    /// takes up to twice as much.
    pub bytes_max: u64,
    /// How much of the file is kept in memory, in bytes.
    pub cache_bytes: usize,
    /// How many calls may wait for the disk. Beyond it callers wait.
    pub queue_calls_max: usize,
    /// How many entries are written in one transaction at most.
    pub commit_entries_max: usize,
    /// How often positions are written, and mailboxes of users that do nothing are looked at.
    pub sweep_every: Duration,
}

impl FileConfig {
    /// The defaults in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            limits: Limits::default(),
            bytes_max: 4 * 1024 * 1024 * 1024,
            cache_bytes: 8 * 1024 * 1024,
            queue_calls_max: 4096,
            commit_entries_max: 4096,
            sweep_every: Duration::from_secs(1),
        }
    }
}
