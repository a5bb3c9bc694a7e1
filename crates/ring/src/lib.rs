//! Placement: which worker owns a key. Pure, the same in every process and language.
//!
//! A [`Ring`] is an immutable value made from a set of members and nothing else: not from the order in which
//! they joined, not from history, not from the machine. A key is hashed to one of [`SLOT_COUNT`] slots, and
//! the ring carries a ready table with the owner of each slot, so a look-up is one hash and one load.
//!
//! The arithmetic is a contract with other languages, written down byte by byte in `docs/placement.md` and
//! held by the golden vectors of [`vectors`]. Whoever changes a number here changes the owner of every key in
//! a running cluster: such a change is a new version of the specification, never an edit of this one.
//!
//! ```
//! use ringway_ring::{MemberId, Ring, RingMember, Strategy};
//!
//! # fn main() -> Result<(), ringway_ring::RingError> {
//! let members = ["w1", "w2", "w3"].map(|id| MemberId::new(id).map(RingMember::new));
//! let ring = Ring::build(Strategy::Slots, members.into_iter().collect::<Result<Vec<_>, _>>()?)?;
//!
//! let owner = ring.owner("alice").expect("a ring with members owns every key");
//! let without = ring.with_members(ring.members().iter().filter(|m| &m.id != owner).cloned())?;
//! assert_eq!(ring.diff(&without).slots_moved(), ring.slots_of(owner));
//! # Ok(())
//! # }
//! ```

mod circle;
mod diff;
mod error;
mod hash;
mod history;
mod member;
mod placement;
mod ring;
mod roster;
mod slot;
mod slots;
mod snapshot;
mod strategy;
mod table;
pub mod vectors;
mod version;
mod weight;

pub use diff::{DiffSummary, Flow, RingDiff, SlotMove};
pub use error::RingError;
pub use hash::{hash_of, numbered};
pub use history::RingHistory;
pub use member::{MemberId, RingMember};
pub use ring::Ring;
pub use slot::{SLOT_COUNT, Slot};
pub use strategy::Strategy;
pub use table::NO_OWNER;
pub use version::RingVersion;
pub use weight::Weight;
