//! The secret that all nodes of a cluster and its back ends share.
//!
//! Whoever holds it may do everything on a node's gRPC port. It is compared in constant time and never shown: not in
//! `Debug`, not in an error, not in a log.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;

/// The shortest secret that is taken, in bytes.
pub const SECRET_BYTES_MIN: usize = 16;
/// The longest secret that is taken, in bytes.
pub const SECRET_BYTES_MAX: usize = 1024;

/// The cluster secret: 16 to 1024 visible ASCII characters.
#[derive(Clone)]
pub struct ClusterSecret(Arc<str>);

/// Why a text cannot be the cluster secret. It never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too few or too many bytes.
    #[error("the cluster secret has {bytes} bytes; it must have {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}")]
    Length {
        /// How many it has.
        bytes: usize,
    },
    /// A space, a line break, a control character or something outside ASCII.
    #[error(
        "the cluster secret's byte {position} (counted from 0) is not a visible ASCII character (0x21 to 0x7e)"
    )]
    NotVisible {
        /// Where.
        position: usize,
    },
}

impl ClusterSecret {
    /// Takes a text as the secret.
    ///
    /// # Errors
    /// When its length or one of its characters is not allowed.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&text.len()) {
            return Err(SecretError::Length { bytes: text.len() });
        }
        match text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            Some(position) => Err(SecretError::NotVisible { position }),
            None => Ok(ClusterSecret(text.into())),
        }
    }

    /// Makes a secret of 32 random bytes, as 64 hexadecimal digits.
    pub fn generate() -> Self {
        let mut text = String::with_capacity(64);
        for byte in rand::random::<[u8; 32]>() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        ClusterSecret(text.into())
    }

    /// The secret itself, for those who hand it on, such as to a child process.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the bytes are this secret; takes the same time wherever they differ.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(bytes).into()
    }
}

impl PartialEq for ClusterSecret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for ClusterSecret {}

impl FromStr for ClusterSecret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        ClusterSecret::new(text)
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_visible_ascii_of_a_sensible_length_is_taken() {
        let cases = [
            ("0123456789abcde", Err(SecretError::Length { bytes: 15 })),
            ("0123456789abcdef", Ok(())),
            ("0123456789 abcdef", Err(SecretError::NotVisible { position: 10 })),
            ("0123456789abcdef\n", Err(SecretError::NotVisible { position: 16 })),
            ("0123456789abcdeä", Err(SecretError::NotVisible { position: 15 })),
        ];
        for (text, expected) in cases {
            assert_eq!(ClusterSecret::new(text).map(|_| ()), expected, "{text:?}");
        }
        assert!(ClusterSecret::new(&"x".repeat(SECRET_BYTES_MAX)).is_ok());
        assert!(ClusterSecret::new(&"x".repeat(SECRET_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_secret_equals_itself_and_nothing_else() {
        let secret = ClusterSecret::new("0123456789abcdef").unwrap();
        assert!(secret.matches(b"0123456789abcdef"));
        for other in [&b"0123456789abcdeF"[..], b"0123456789abcde", b"0123456789abcdef0", b""] {
            assert!(!secret.matches(other));
        }
        assert_ne!(ClusterSecret::generate(), ClusterSecret::generate());
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = ClusterSecret::generate();
        assert!(!format!("{secret:?}").contains(&secret.expose()[..8]));
        assert_eq!(secret.expose().len(), 64);
    }
}
