//! Session ids. The highest 18 bits of an id are its user's slot, so any node finds a session's worker from the id alone.

use std::fmt;
use std::str::FromStr;

use ringway_ring::{SLOT_COUNT, Slot};

const RANDOM_BITS: u32 = 128 - SLOT_COUNT.trailing_zeros();

/// The name of a session: its user's slot in the highest 18 of 128 bits, the others random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u128);

/// A text or byte string is no session id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session id is 32 hexadecimal digits (16 bytes)")]
pub struct SessionIdError;

impl SessionId {
    /// An id for a session of a user in this slot. Of `random` the lowest 110 bits are used; they must be unpredictable
    /// enough that two sessions of a slot never share them.
    pub fn new(slot: Slot, random: u128) -> Self {
        SessionId(u128::from(slot.index()) << RANDOM_BITS | random & ((1 << RANDOM_BITS) - 1))
    }

    /// The slot of the session's user.
    pub fn slot(self) -> Slot {
        Slot::new((self.0 >> RANDOM_BITS) as u32).expect("18 bits are always a slot")
    }

    /// The 16 bytes, big-endian.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads 16 bytes, big-endian.
    ///
    /// # Errors
    /// [`SessionIdError`] if there are not exactly 16.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SessionIdError> {
        Ok(SessionId(u128::from_be_bytes(bytes.try_into().map_err(|_| SessionIdError)?)))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(text: &str) -> Result<Self, SessionIdError> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(SessionIdError);
        }
        u128::from_str_radix(text, 16).map(SessionId).map_err(|_| SessionIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_users_slot() {
        for user in ["", "alice", "bob"] {
            let id = SessionId::new(Slot::of(user.as_bytes()), u128::MAX);
            assert_eq!(id.slot(), Slot::of(user.as_bytes()));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(SessionId::from_bytes(&id.to_bytes()), Ok(id));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "abc", "+0000000000000000000000000000001", &"g".repeat(32), &"0".repeat(33)] {
            assert_eq!(text.parse::<SessionId>(), Err(SessionIdError), "{text:?}");
        }
        assert_eq!(SessionId::from_bytes(&[0; 15]), Err(SessionIdError));
    }
}
