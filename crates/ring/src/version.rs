//! The ring version: a fingerprint of everything that decides a table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::RingError;
use crate::hash::xxh64_of;
use crate::member::RingMember;
use crate::strategy::Strategy;

/// A 64-bit fingerprint of the strategy and of the ids and weights of the members that can own something.
///
/// Equal versions mean equal tables. Versions have no order: a later ring may have a smaller one. Written as
/// 16 lower-case hexadecimal digits, also in JSON, where a 64-bit number would not survive.
#[derive(Clone, Copy, Eq, PartialEq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RingVersion(u64);

impl RingVersion {
    /// The version with this number, as it travels in binary protocols.
    pub const fn from_u64(version: u64) -> Self {
        Self(version)
    }

    /// The version as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The fingerprint of a strategy and its active members, which must be sorted by id.
    pub(crate) fn of(strategy: Strategy, active: &[RingMember]) -> Self {
        let mut text = format!("ringway/1 {strategy}\n");
        for RingMember { id, weight } in active {
            text.push_str(&format!("{id}\t{weight}\n"));
        }
        Self(xxh64_of(text.as_bytes()))
    }
}

impl fmt::Display for RingVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for RingVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RingVersion {
    type Err = RingError;

    fn from_str(text: &str) -> Result<Self, RingError> {
        let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| RingError::MalformedVersion { text: text.to_owned() })
    }
}

impl TryFrom<String> for RingVersion {
    type Error = RingError;

    fn try_from(text: String) -> Result<Self, RingError> {
        text.parse()
    }
}

impl From<RingVersion> for String {
    fn from(version: RingVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_as_16_lower_case_digits() {
        let version = RingVersion::from_u64(0xab);
        assert_eq!(version.to_string(), "00000000000000ab");
        assert_eq!("00000000000000ab".parse(), Ok(version));
        for text in
            ["", "ab", "00000000000000AB", "+0000000000000ab", "00000000000000abc", "0x000000000000ab"]
        {
            assert!(text.parse::<RingVersion>().is_err(), "{text:?}");
        }
    }
}
