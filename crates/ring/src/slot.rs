//! Slots: the fixed number of parts into which the key space is cut.

use std::fmt;

use serde::Serialize;

use crate::error::RingError;
use crate::hash::xxh64_of;

/// A slot is named by the highest bits of a key's hash: this many.
const SLOT_BITS: u32 = 18;

/// How many slots there are: 262,144, for every ring of either strategy.
pub const SLOT_COUNT: usize = 1 << SLOT_BITS;

/// One part of the key space. Keys of one slot always have one owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize)]
pub struct Slot(u32);

impl Slot {
    /// Slot 0.
    pub(crate) const FIRST: Self = Self(0);

    /// The slot of a key: the 18 highest bits of its XXH64. The bytes are taken as they are; any length is a
    /// key.
    #[inline]
    pub fn of(key: &[u8]) -> Self {
        Self::of_hash(xxh64_of(key))
    }

    /// The slot of a key with this hash ([`hash_of`](crate::hash_of)).
    #[inline]
    pub const fn of_hash(hash: u64) -> Self {
        Self((hash >> (u64::BITS - SLOT_BITS)) as u32)
    }

    /// The slot with this number.
    ///
    /// # Errors
    /// [`RingError::UnknownSlot`] if the number is not below [`SLOT_COUNT`].
    pub const fn new(index: u32) -> Result<Self, RingError> {
        if index as usize >= SLOT_COUNT {
            return Err(RingError::UnknownSlot { index });
        }
        Ok(Self(index))
    }

    /// The slot's number, 0 to 262,143.
    #[inline]
    pub const fn index(self) -> u32 {
        self.0
    }

    /// Every slot, in order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> + DoubleEndedIterator + Clone {
        (0..SLOT_COUNT as u32).map(Self)
    }

    /// The 64-bit hash in the middle of this slot's interval, where strategy `hashring` looks its owner up.
    pub(crate) const fn middle(self) -> u64 {
        let shift = u64::BITS - SLOT_BITS;
        (self.0 as u64) << shift | 1 << (shift - 1)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_the_18_highest_bits() {
        assert_eq!(Slot::of(b"").index(), 0x3bd1b); // ef46db37... >> 46
        assert_eq!(Slot::new(262_143).unwrap().middle(), 0xffff_e000_0000_0000);
        assert_eq!(Slot::new(262_144), Err(RingError::UnknownSlot { index: 262_144 }));
        assert_eq!(Slot::all().len(), SLOT_COUNT);
    }
}
