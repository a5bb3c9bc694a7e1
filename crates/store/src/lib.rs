//! What outlives a session: a user's mailbox, and who is online for others to read.
//!
//! Two traits stand here at an outside edge, each with an implementation in memory: [`Mailbox`] (also in a file) and
//! [`PresenceExport`]. What is decided about a mailbox (what may go, what is a gap, whether a client has missed something)
//! is decided in [`book`], which knows no medium and no clock; the implementations carry bytes.

pub mod book;
mod clock;
mod durability;
mod entry;
mod error;
mod file;
mod limits;
mod mailbox;
mod memory;
mod names;
mod presence;
mod state;

pub use clock::{Clock, ManualClock, UnixTime};
pub use durability::Durability;
pub use entry::{ENTRY_OVERHEAD_BYTES, Entry, LeftOut, NewEntry, Page, PageBounds};
pub use error::{Advice, StoreError};
pub use file::{FileConfig, FileMailbox};
pub use limits::{Limits, WrongLimits};
pub use mailbox::{Appended, Mailbox};
pub use memory::MemoryMailbox;
pub use names::{Epoch, Offset, Place};
pub use presence::{MemoryPresence, Online, Presence, PresenceExport, WorkerLife};
pub use ringway_session::{DeviceId, DeviceIdError};
pub use state::{MailboxState, Recovery, RecoveryError, Stored};
