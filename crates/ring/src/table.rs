//! The compiled table: one 16-bit member index for each slot.

use crate::error::RingError;
use crate::hash::xxh64_of;
use crate::slot::{SLOT_COUNT, Slot};

/// The table entry of a slot that nobody owns. It stands in every slot of an empty ring, and nowhere else.
pub const NO_OWNER: u16 = u16::MAX;

/// The owner of each slot, as an index into the active members.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Table(Box<[u16; SLOT_COUNT]>);

impl Table {
    /// The table of an empty ring.
    pub(crate) fn unowned() -> Self {
        Self::try_from(vec![NO_OWNER; SLOT_COUNT]).expect("one entry for each slot")
    }

    /// The entry of one slot.
    #[inline]
    pub(crate) fn owner(&self, slot: Slot) -> u16 {
        self.0[slot.index() as usize]
    }

    /// All entries, in slot order.
    pub(crate) fn entries(&self) -> &[u16] {
        self.0.as_slice()
    }

    /// All entries, to be filled in.
    pub(crate) fn entries_mut(&mut self) -> &mut [u16] {
        self.0.as_mut_slice()
    }

    /// XXH64 of the entries as little-endian 16-bit numbers in slot order: 524,288 bytes.
    pub(crate) fn digest(&self) -> u64 {
        let bytes: Vec<u8> = self.0.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        xxh64_of(&bytes)
    }

    /// How many slots each of the first `active` indexes has.
    pub(crate) fn counts(&self, active: usize) -> Vec<u32> {
        let mut counts = vec![0; active];
        for entry in self.0.iter() {
            if let Some(count) = counts.get_mut(usize::from(*entry)) {
                *count += 1;
            }
        }
        counts
    }
}

impl TryFrom<Vec<u16>> for Table {
    type Error = RingError;

    fn try_from(entries: Vec<u16>) -> Result<Self, RingError> {
        let entries = entries.into_boxed_slice().try_into();
        entries.map(Self).map_err(|entries: Box<[u16]>| RingError::TableLength { entries: entries.len() })
    }
}
