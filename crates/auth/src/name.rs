//! What a user or a group may be called.
//!
//! Names travel through hashes, protobuf fields, metrics and log lines, so they are bounded and printable:
//! 1 to [`NAME_BYTES_MAX`] bytes of UTF-8, not only white space, no control characters.

use ringway_session::RESERVED_PREFIX;
use thiserror::Error;

/// The longest name of a user or group, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;

/// Why a text cannot be the name of a user or a group. The text itself is not repeated: in mode `plain` it
/// is the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Empty, or nothing but white space.
    #[error("the name of the {kind} is blank; it must hold at least one visible character")]
    Blank {
        /// `user` or `group`.
        kind: &'static str,
    },
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("the name of the {kind} is {bytes} bytes long; at most {NAME_BYTES_MAX} are allowed")]
    TooLong {
        /// `user` or `group`.
        kind: &'static str,
        /// How long the name is, in bytes.
        bytes: usize,
    },
    /// Begins like those of the cluster itself.
    #[error("names of a {kind} that begin with `{RESERVED_PREFIX}` are the cluster's own")]
    Reserved {
        /// `user` or `group`.
        kind: &'static str,
    },
    /// Holds a control character (Unicode category Cc).
    #[error("the name of the {kind} has a control character at byte {at}; only printable text is allowed")]
    ControlCharacter {
        /// `user` or `group`.
        kind: &'static str,
        /// Where the first one stands, in bytes from the start.
        at: usize,
    },
}

/// Whether `name` can be a user's.
///
/// # Errors
/// [`NameError`] if it is blank, longer than [`NAME_BYTES_MAX`] bytes, holds a control character, or is the cluster's own.
pub fn check_user(name: &str) -> Result<(), NameError> {
    check(name, "user")
}

/// Whether `name` can be a group's.
///
/// # Errors
/// [`NameError`] if it is blank, longer than [`NAME_BYTES_MAX`] bytes, holds a control character, or is the cluster's own.
pub fn check_group(name: &str) -> Result<(), NameError> {
    check(name, "group")
}

fn check(name: &str, kind: &'static str) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Blank { kind });
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { kind, bytes: name.len() });
    }
    if name.starts_with(RESERVED_PREFIX) {
        return Err(NameError::Reserved { kind });
    }
    match name.find(char::is_control) {
        Some(at) => Err(NameError::ControlCharacter { kind, at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let longest = "é".repeat(127) + "x";
        let too_long = "é".repeat(128);
        let kind = "user";
        for (name, expected) in [
            ("alice", Ok(())),
            ("a", Ok(())),
            ("张三 the first", Ok(())),
            (longest.as_str(), Ok(())),
            ("ringway", Ok(())),
            ("ringway:", Err(NameError::Reserved { kind })),
            ("ringway:dashboard", Err(NameError::Reserved { kind })),
            ("", Err(NameError::Blank { kind })),
            (" \t\u{3000}", Err(NameError::Blank { kind })),
            (too_long.as_str(), Err(NameError::TooLong { kind, bytes: 256 })),
            ("a\nb", Err(NameError::ControlCharacter { kind, at: 1 })),
            ("é\u{7f}", Err(NameError::ControlCharacter { kind, at: 2 })),
            ("a\u{85}", Err(NameError::ControlCharacter { kind, at: 1 })),
        ] {
            assert_eq!(check_user(name), expected, "{name:?}");
        }
        assert_eq!(check_group(""), Err(NameError::Blank { kind: "group" }));
    }
}
