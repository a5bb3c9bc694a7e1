//! A member of the ring as placement sees it: a stable name and a weight, nothing else.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::RingError;
use crate::weight::Weight;

/// The longest member id, in bytes.
const ID_BYTES_MAX: usize = 255;

/// The stable name of a member: 1 to 255 bytes of UTF-8 without control characters.
///
/// Ids are compared and ordered by their bytes; two texts that only look alike are two members. Cloning is
/// cheap.
#[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemberId(Arc<str>);

impl MemberId {
    /// Checks a name.
    ///
    /// # Errors
    /// [`RingError::EmptyMemberId`], [`RingError::LongMemberId`] or [`RingError::ControlCharacter`].
    pub fn new(id: impl AsRef<str>) -> Result<Self, RingError> {
        let id = id.as_ref();
        if id.is_empty() {
            return Err(RingError::EmptyMemberId);
        }
        if id.len() > ID_BYTES_MAX {
            return Err(RingError::LongMemberId { bytes: id.len() });
        }
        match id.find(char::is_control) {
            Some(at) => Err(RingError::ControlCharacter { id: id.to_owned(), at }),
            None => Ok(Self(Arc::from(id))),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for MemberId {
    type Err = RingError;

    fn from_str(text: &str) -> Result<Self, RingError> {
        Self::new(text)
    }
}

impl TryFrom<String> for MemberId {
    type Error = RingError;

    fn try_from(text: String) -> Result<Self, RingError> {
        Self::new(text)
    }
}

impl From<MemberId> for String {
    fn from(id: MemberId) -> Self {
        id.as_str().to_owned()
    }
}

impl AsRef<str> for MemberId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for MemberId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// A member with its weight.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct RingMember {
    /// The member's name.
    pub id: MemberId,
    /// Its part of the slots, relative to the other members. Weight 0 owns nothing.
    #[serde(default)]
    pub weight: Weight,
}

impl RingMember {
    /// A member of the default weight.
    pub fn new(id: MemberId) -> Self {
        Self { id, weight: Weight::default() }
    }

    /// The same member with another weight.
    pub fn weighing(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_text_without_control_characters() {
        let longest = "x".repeat(ID_BYTES_MAX);
        for id in ["w", "worker-1", "a#1", "a b", "节点-1", "żółw", "\u{a0}", longest.as_str()] {
            assert_eq!(MemberId::new(id).unwrap().as_str(), id);
        }
        let long = "ż".repeat(128);
        for (id, expected) in [
            ("", RingError::EmptyMemberId),
            (long.as_str(), RingError::LongMemberId { bytes: 256 }),
            ("a\tb", RingError::ControlCharacter { id: "a\tb".into(), at: 1 }),
            ("ż\u{7f}", RingError::ControlCharacter { id: "ż\u{7f}".into(), at: 2 }),
            ("\u{85}", RingError::ControlCharacter { id: "\u{85}".into(), at: 0 }),
        ] {
            assert_eq!(MemberId::new(id), Err(expected), "{id:?}");
        }
    }

    #[test]
    fn ids_are_ordered_by_bytes_not_by_utf16_units() {
        let (astral, private_use) = (MemberId::new("\u{10000}").unwrap(), MemberId::new("\u{ffff}").unwrap());
        assert!(private_use < astral);
    }

    #[test]
    fn members_are_read_and_written_as_plain_text_and_number() {
        let member: RingMember = serde_json::from_str(r#"{"id":"w1"}"#).unwrap();
        assert_eq!(serde_json::to_string(&member).unwrap(), r#"{"id":"w1","weight":1}"#);
        assert!(serde_json::from_str::<RingMember>(r#"{"id":""}"#).is_err());
        assert!(serde_json::from_str::<RingMember>(r#"{"id":"w1","weight":101}"#).is_err());
    }
}
