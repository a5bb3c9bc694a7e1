//! The words for places in a mailbox.

use std::fmt;
use std::str::FromStr;

/// An entry's number in its mailbox: 1, 2, 3, … without holes, in one epoch. 0 stands before the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    /// The first one that is given.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// The one so many after this.
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many there are from `earlier` on, this one not counted; none if it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of one numbering. In another epoch offsets begin anew, and what was before is not there any more. Never 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

/// A text that is no epoch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an epoch is 16 hexadecimal digits, not all 0")]
pub struct EpochError;

impl Epoch {
    /// One that nobody has had.
    pub fn random() -> Self {
        Self(rand::random::<u64>().max(1))
    }

    /// The epoch of this number, if it is not 0.
    pub fn from_number(number: u64) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// As a number.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Epoch {
    type Err = EpochError;

    fn from_str(text: &str) -> Result<Self, EpochError> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(EpochError);
        }
        u64::from_str_radix(text, 16).ok().and_then(Self::from_number).ok_or(EpochError)
    }
}

/// An offset and the epoch in which it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The numbering.
    pub epoch: Epoch,
    /// The number in it.
    pub offset: Offset,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_read_as_they_are_written() {
        for _ in 0..8 {
            let epoch = Epoch::random();
            assert_eq!(epoch.to_string().parse(), Ok(epoch));
        }
        for text in ["", "0000000000000000", "1", "+000000000000001", "00000000000000001", "000000000000000g"]
        {
            assert_eq!(text.parse::<Epoch>(), Err(EpochError), "{text:?}");
        }
    }
}
