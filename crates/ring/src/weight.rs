//! A member's weight: how many tokens or points it puts into the placement.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::RingError;

/// A whole number from 0 to 100. Shares are in proportion to weights; 1 is usual and 0 owns nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Weight(u8);

impl Weight {
    /// Owns nothing: a member that is known but not on the ring.
    pub const ZERO: Self = Self(0);
    /// The largest weight.
    pub const MAX: Self = Self(100);

    /// Checks a weight.
    ///
    /// # Errors
    /// [`RingError::LargeWeight`] above 100.
    pub const fn new(weight: u32) -> Result<Self, RingError> {
        if weight > Self::MAX.0 as u32 {
            return Err(RingError::LargeWeight { weight });
        }
        Ok(Self(weight as u8))
    }

    /// The number, 0 to 100.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Weight {
    type Err = RingError;

    fn from_str(text: &str) -> Result<Self, RingError> {
        let number: Result<u32, _> = text.parse();
        Self::new(number.map_err(|_| RingError::MalformedWeight { text: text.to_owned() })?)
    }
}

impl TryFrom<u32> for Weight {
    type Error = RingError;

    fn try_from(weight: u32) -> Result<Self, RingError> {
        Self::new(weight)
    }
}

impl From<Weight> for u32 {
    fn from(weight: Weight) -> Self {
        Self::from(weight.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_go_from_0_to_100() {
        assert_eq!(Weight::default().get(), 1);
        assert_eq!(Weight::new(0), Ok(Weight::ZERO));
        assert_eq!(Weight::new(100), Ok(Weight::MAX));
        for weight in [101, 256, 257, u32::MAX] {
            assert_eq!(Weight::new(weight), Err(RingError::LargeWeight { weight }));
        }
    }

    #[test]
    fn weights_are_read_from_decimal_text() {
        assert_eq!("100".parse(), Ok(Weight::MAX));
        assert_eq!("101".parse::<Weight>(), Err(RingError::LargeWeight { weight: 101 }));
        for text in ["", "-1", "1.5", "heavy", "99999999999"] {
            assert_eq!(text.parse::<Weight>(), Err(RingError::MalformedWeight { text: text.to_owned() }));
        }
    }
}
