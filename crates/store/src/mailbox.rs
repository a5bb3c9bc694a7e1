//! The outside edge of what is kept for users.
//!
//! Each user has one mailbox, in which one worker writes at a time: the owner by the ring. The ring is not to be trusted
//! with that, so a mailbox is fenced by itself: whoever appends says at which offset, and if that is not the next one,
//! somebody else has written or the history was lost, and nothing is appended. What all implementations promise, and the
//! shared suite in `tests/mailbox_suite` holds:
//!
//! - Offsets are 1, 2, 3, … without a hole in one epoch. When history was lost there is another epoch.
//! - What was confirmed is as durable as [`Mailbox::durability`] says. What was refused was not appended, except that nobody
//!   knows when the store was [unavailable](crate::StoreError::Unavailable).
//! - Several entries of one call are appended together or not at all, also when the process dies.
//! - Each device has a position: it has everything up to there. What every known device has is removed, and so is what was
//!   withdrawn and what has expired, each when its message's id need not be known any more. This happens late and in batches.
//! - Positions are stored late too: after a crash a device may get again what it has acknowledged a moment before.
//! - What goes because there is too much of it leaves a gap that is told: see [`MailboxState::recovery`].
//! - A call whose future is dropped is carried out or not; the mailbox is whole in either case.

use async_trait::async_trait;
use ringway_session::{DeviceId, UserId};

use crate::durability::Durability;
use crate::entry::{NewEntry, Page, PageBounds};
use crate::error::StoreError;
use crate::names::{Offset, Place};
use crate::state::MailboxState;

/// What an append has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where the next append belongs.
    pub next: Place,
    /// The first offset that is still there: what was before it has gone.
    pub first: Offset,
}

/// Users' mailboxes.
#[async_trait]
pub trait Mailbox: Send + Sync + 'static {
    /// What outlasts what.
    fn durability(&self) -> Durability;

    /// How the mailbox is now. It is made if there is none. A new owner begins with this.
    ///
    /// # Errors
    /// [`StoreError`], never `Conflict`.
    async fn open(&self, user: &UserId) -> Result<MailboxState, StoreError>;

    /// Appends, if `at` is where the next entry belongs. Many calls may be in flight, for one user too: they are carried out in
    /// the order in which they were first polled, and those behind one that failed fail with `Conflict`.
    ///
    /// # Errors
    /// [`StoreError`], and nothing of it was appended unless it says otherwise.
    async fn append(&self, user: &UserId, at: Place, entries: Vec<NewEntry>) -> Result<Appended, StoreError>;

    /// What stands behind `after.offset`, from the oldest that there is. Of another epoch there is nothing: `Conflict`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn range(&self, user: &UserId, after: Place, bounds: PageBounds) -> Result<Page, StoreError>;

    /// A device has everything up to there. It is known from then on; one that comes without news says its position again, or
    /// it is forgotten at last. A position never goes back.
    ///
    /// # Errors
    /// `NeverAppended` for an offset beyond the end, `Conflict` for another epoch, or what the store says.
    async fn acknowledge(&self, user: &UserId, device: &DeviceId, upto: Place) -> Result<(), StoreError>;

    /// These are needed by no device any more: one has taken them. Offsets that are not there do not matter.
    ///
    /// # Errors
    /// `Conflict` for another epoch, or what the store says.
    async fn withdraw(
        &self,
        user: &UserId,
        epoch: crate::Epoch,
        offsets: &[Offset],
    ) -> Result<(), StoreError>;

    /// Writes what is written late. At the end of a worker, and before a mailbox is handed to another one.
    ///
    /// # Errors
    /// What the store says.
    async fn flush(&self) -> Result<(), StoreError>;
}
