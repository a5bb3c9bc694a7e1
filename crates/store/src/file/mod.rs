//! Mailboxes in a file of one machine.
//!
//! The file is a redb database: a copy-on-write B-tree that is whole after any crash. Entries stand in it in the order in
//! which they came, whoever they are for, so that a commit writes a few pages at its end however many users it is for, and
//! trimming frees whole pages at its beginning. What is needed to find them, a [`Book`](crate::book::Book) for each user,
//! is in memory; payloads are not.
//!
//! One thread writes. It takes all appends that wait, makes one transaction of them, and confirms them when the disk has
//! it. While it waits for the disk, the next ones gather.
//!
//! - An entry bears a checksum. One that is damaged is gone, and that is told as a gap.
//! - A database that was not closed in order is repaired when it is opened; one that cannot be is an error: nothing is
//!   thrown away by itself.
//! - The file is locked: another process cannot open it.

mod batch;
mod config;
mod disk;
mod load;
mod mailbox;
mod record;
mod shelf;
mod writer;

pub use config::FileConfig;
pub use mailbox::FileMailbox;

/// The name of this store in errors and logs.
const STORE: &str = "file";
