//! The names of users and groups, under one rule: 1 to 255 bytes of UTF-8 without control characters.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use ringway_ring::hash_of;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("the {what} is empty; it must be 1 to 255 bytes of UTF-8 without control characters")]
    Empty {
        /// "user" or "group".
        what: &'static str,
    },
    /// The text is too long.
    #[error("the {what} has {bytes} bytes; at most 255 are allowed")]
    TooLong {
        /// "user" or "group".
        what: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// The text holds a control character.
    #[error("the {what} holds the control character U+{code:04X}; control characters are not allowed")]
    ControlCharacter {
        /// "user" or "group".
        what: &'static str,
        /// The character's code point.
        code: u32,
    },
}

fn check(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { what, bytes: text.len() });
    }
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(NameError::ControlCharacter { what, code: c.into() }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a name.
            ///
            /// # Errors
            /// [`NameError`] unless it is 1 to 255 bytes of UTF-8 without control characters.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check($what, text)?;
                Ok(Self(text.into()))
            }

            /// The name as it is.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name! {
    /// A user: the key that a verified token names, and the key of placement. Cloning is cheap.
    UserId, "user"
}

name! {
    /// A group: a named set of sessions. Cloning is cheap.
    GroupId, "group"
}

/// The hash by which a user is placed.
pub(crate) fn user_hash(user: &UserId) -> u64 {
    hash_of(user.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule() {
        let check = |text: &str, expected: Result<(), NameError>| {
            assert_eq!(UserId::new(text).map(|user| assert_eq!(user.as_str(), text)), expected, "{text:?}");
        };
        check("alice", Ok(()));
        check("ålice 😀", Ok(()));
        check(&"x".repeat(255), Ok(()));
        check("", Err(NameError::Empty { what: "user" }));
        check(&"x".repeat(256), Err(NameError::TooLong { what: "user", bytes: 256 }));
        check("a\nb", Err(NameError::ControlCharacter { what: "user", code: 10 }));
        check("a\u{85}b", Err(NameError::ControlCharacter { what: "user", code: 0x85 }));
    }
}
