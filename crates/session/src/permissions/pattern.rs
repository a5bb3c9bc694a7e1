//! Patterns: how permissions name users, groups and topics.

use std::fmt;
use std::str::FromStr;

/// The longest pattern, in bytes: as long as the longest name.
const PATTERN_BYTES_MAX: usize = 255;

/// How many patterns a list may have.
pub const PATTERNS_MAX: usize = 64;

/// Why a text is no pattern, or a list of them is too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text is empty.
    #[error("a pattern is empty; write a name, the beginning of one with `*` behind it, or `*` for all")]
    Empty,
    /// The text is too long.
    #[error("a pattern has {bytes} bytes; at most 255 are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The text holds a control character.
    #[error("a pattern holds the control character U+{code:04X}; control characters are not allowed")]
    ControlCharacter {
        /// The character's code point.
        code: u32,
    },
    /// A star stands where none may.
    #[error("a pattern has a `*` before its end; the only `*` stands last, as in `room-*`")]
    StarInside,
    /// The list is too long.
    #[error("the list has {count} patterns; at most 64 are allowed")]
    TooMany {
        /// How many it has.
        count: usize,
    },
}

/// A name as it is (`room-7`), or the beginning of one (`room-*`); `*` alone is every name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Checks a pattern.
    ///
    /// # Errors
    /// [`PatternError`] unless it is 1 to 255 bytes of UTF-8 without control characters, with no `*` but the last character.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong { bytes: text.len() });
        }
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            return Err(PatternError::ControlCharacter { code: c.into() });
        }
        if text.strip_suffix('*').unwrap_or(text).contains('*') {
            return Err(PatternError::StarInside);
        }
        Ok(Pattern(text.into()))
    }

    /// Whether a name is one of those that it stands for.
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => *self.0 == *name,
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Pattern::new(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A list of patterns, each of which allows what it stands for. An empty one allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Box<[Pattern]>);

impl Patterns {
    /// Checks a list.
    ///
    /// # Errors
    /// [`PatternError`] if it has more than [`PATTERNS_MAX`] patterns, or a text is none.
    pub fn new<T: AsRef<str>>(texts: &[T]) -> Result<Self, PatternError> {
        if texts.len() > PATTERNS_MAX {
            return Err(PatternError::TooMany { count: texts.len() });
        }
        texts.iter().map(|text| Pattern::new(text.as_ref())).collect::<Result<_, _>>().map(Patterns)
    }

    /// Whether one of them stands for this name.
    pub fn allows(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }

    /// The patterns as they were written.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rule() {
        let check = |text: &str, expected: Result<(), PatternError>| {
            let read = Pattern::new(text).map(|pattern| assert_eq!(pattern.as_str(), text));
            assert_eq!(read, expected, "{text:?}");
        };
        check("room-7", Ok(()));
        check("room-*", Ok(()));
        check("*", Ok(()));
        check("ålice *", Ok(()));
        check(&"x".repeat(255), Ok(()));
        check("", Err(PatternError::Empty));
        check(&"x".repeat(256), Err(PatternError::TooLong { bytes: 256 }));
        check("a\nb", Err(PatternError::ControlCharacter { code: 10 }));
        check("a\u{85}", Err(PatternError::ControlCharacter { code: 0x85 }));
        check("*-room", Err(PatternError::StarInside));
        check("**", Err(PatternError::StarInside));
    }

    #[test]
    fn what_a_pattern_stands_for() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(Pattern::new(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        };
        check("room-7", "room-7", true);
        check("room-7", "room-77", false);
        check("room-7", "Room-7", false);
        check("room-*", "room-7", true);
        check("room-*", "room-", true);
        check("room-*", "room", false);
        check("room-*", "my room-7", false);
        check("*", "anything", true);
        check("å*", "ålice", true);
    }

    #[test]
    fn a_list_allows_what_one_of_its_patterns_does() {
        let list = Patterns::new(&["lobby", "room-*"]).unwrap();
        for (name, expected) in [("lobby", true), ("room-1", true), ("lobby2", false), ("", false)] {
            assert_eq!(list.allows(name), expected, "{name}");
        }
        assert!(!Patterns::default().allows("lobby"));
        assert_eq!(list.texts(), ["lobby", "room-*"]);
        assert_eq!(Patterns::new(&vec!["x"; 65]), Err(PatternError::TooMany { count: 65 }));
        assert_eq!(Patterns::new(&["x", ""]), Err(PatternError::Empty));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_panic(text: String, name: String) {
            if let Ok(pattern) = Pattern::new(&text) {
                let matches = pattern.matches(&name);
                let expected = match text.strip_suffix('*') {
                    Some(beginning) => name.get(..beginning.len()) == Some(beginning),
                    None => name == text,
                };
                prop_assert_eq!(matches, expected);
            }
        }
    }
}
