//! The token itself: a text that is never shown by accident.

use std::fmt;

/// The credential of one handshake, decoded to text.
///
/// `Debug` and `Display` show only how long it is, so that a token which wanders into a log line or an error
/// does no harm. [`Token::expose`] is the one way to its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Wraps a token's decoded text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The token's text. For verifying it or handing it to its owner; never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.0.len())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<token of {} bytes>", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_display_shows_the_text() {
        let token = Token::new("alice-room7");
        assert_eq!(format!("{token:?}"), "Token(11 bytes)");
        assert_eq!(format!("{token}"), "<token of 11 bytes>");
        assert_eq!(token.expose(), "alice-room7");
    }
}
