//! The keys that callers show. Each has a name, so that several callers can have their own, and one can be replaced while the
//! old one still counts; the name may be shown, the key never.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use subtle::{Choice, ConstantTimeEq as _};

/// The shortest key that is taken, in bytes.
const KEY_BYTES_MIN: usize = 16;
/// The longest key that is taken, in bytes.
const KEY_BYTES_MAX: usize = 1024;
/// The longest name of a key, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// How many keys there may be: each request is compared with all of them.
const KEYS_MAX: usize = 1_000;

/// Named keys: at least one, no name and no key twice.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys(Vec<(String, String)>);

/// Why texts cannot be keys. It never quotes a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// There is none.
    #[error("there is no key in it; expected at least one, as NAME = KEY")]
    Empty,
    /// There are too many.
    #[error("there are {0} keys; at most {KEYS_MAX} are taken")]
    TooMany(usize),
    /// A line of a file is no key.
    #[error("line {line} is not NAME = KEY")]
    Line {
        /// Which, counted from 1.
        line: usize,
    },
    /// A name that cannot be.
    #[error(
        "{0:?} is no name for a key; expected 1 to {NAME_BYTES_MAX} letters, digits, and any of `-`, `_`, `.`"
    )]
    Name(String),
    /// Two keys have one name.
    #[error("there are two keys of the name {0:?}")]
    NameTwice(String),
    /// A key that cannot be.
    #[error("the key {name:?} must be {KEY_BYTES_MIN} to {KEY_BYTES_MAX} visible ASCII characters")]
    Key {
        /// Its name.
        name: String,
    },
    /// One key has two names.
    #[error("the key {name:?} is the same as another one")]
    KeyTwice {
        /// The second name.
        name: String,
    },
}

impl Keys {
    /// Takes keys with their names.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn new(keys: impl IntoIterator<Item = (String, String)>) -> Result<Self, KeysError> {
        let keys: Vec<(String, String)> = keys.into_iter().collect();
        match keys.len() {
            0 => return Err(KeysError::Empty),
            1..=KEYS_MAX => {}
            count => return Err(KeysError::TooMany(count)),
        }
        let (mut names, mut texts) = (HashSet::new(), HashSet::new());
        for (name, key) in &keys {
            check_name(name)?;
            check_key(name, key)?;
            if !names.insert(name) {
                return Err(KeysError::NameTwice(name.clone()));
            }
            if !texts.insert(key) {
                return Err(KeysError::KeyTwice { name: name.clone() });
            }
        }
        Ok(Self(keys))
    }

    /// Reads the form of files: a line `NAME = KEY` for each key; blank lines and those that begin with `#` do not count.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let lines = (1..).zip(text.lines().map(str::trim));
        let counting = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let pair = |(line, text): (usize, &str)| {
            let (name, key) = text.split_once('=').ok_or(KeysError::Line { line })?;
            Ok((name.trim().to_owned(), key.trim().to_owned()))
        };
        Self::new(counting.map(pair).collect::<Result<Vec<_>, _>>()?)
    }

    /// How many there are: never 0.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The name of the key that was shown, if it is one. How long that takes depends on no key's content: all are looked at,
    /// whichever fits.
    pub fn name_of(&self, shown: &[u8]) -> Option<&str> {
        let mut found = None;
        for (name, key) in &self.0 {
            let fits: Choice = key.as_bytes().ct_eq(shown);
            if fits.into() {
                found = Some(name.as_str());
            }
        }
        found
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The keys that count at present. A cheap handle.
#[derive(Clone, Debug)]
pub struct KeysHandle(Arc<ArcSwap<Keys>>);

impl KeysHandle {
    /// These keys count, until others do.
    pub fn new(keys: Keys) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(keys)))
    }

    /// From now on these keys count, and no others. Requests under way are not affected.
    pub fn replace(&self, keys: Keys) {
        self.0.store(Arc::new(keys));
    }

    /// The keys as they are.
    pub fn current(&self) -> Arc<Keys> {
        self.0.load_full()
    }
}

fn check_name(name: &str) -> Result<(), KeysError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits) {
        true => Ok(()),
        false => Err(KeysError::Name(shown(name))),
    }
}

/// A name as it may be shown where something is wrong: what is as long as a key may be one, in the wrong place.
fn shown(name: &str) -> String {
    if name.len() < KEY_BYTES_MIN { name.to_owned() } else { "(hidden: as long as a key)".to_owned() }
}

fn check_key(name: &str, key: &str) -> Result<(), KeysError> {
    let fits = (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len());
    match fits && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(KeysError::Key { name: shown(name) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILLING: &str = "0123456789abcdef";
    const SHOP: &str = "fedcba9876543210";

    #[test]
    fn what_is_wrong_with_keys_is_said_without_them() {
        let (long, name) = ("x".repeat(KEY_BYTES_MAX + 1), "n".repeat(NAME_BYTES_MAX + 1));
        let key = |name: &str| Err(KeysError::Key { name: name.to_owned() });
        let cases = [
            ("billing = 0123456789abcdef\n\n # old\nshop=fedcba9876543210\n".to_owned(), Ok(2)),
            ("a = 0123456789abcde=".to_owned(), Ok(1)),
            (String::new(), Err(KeysError::Empty)),
            ("# nothing".to_owned(), Err(KeysError::Empty)),
            ("\n0123456789abcdef".to_owned(), Err(KeysError::Line { line: 2 })),
            (format!("= {BILLING}"), Err(KeysError::Name(String::new()))),
            (format!("a b = {BILLING}"), Err(KeysError::Name("a b".to_owned()))),
            (format!("{name} = {BILLING}"), Err(KeysError::Name(shown(&name)))),
            // A key without a name, in base 64.
            (format!("{BILLING}="), key(&shown(BILLING))),
            (format!("{BILLING}+=="), Err(KeysError::Name(shown(BILLING)))),
            (format!("a = {BILLING}\na = {SHOP}"), Err(KeysError::NameTwice("a".to_owned()))),
            (format!("a = {BILLING}\nb = {BILLING}"), Err(KeysError::KeyTwice { name: "b".to_owned() })),
            ("a = 0123456789abcde".to_owned(), key("a")),
            ("a = 0123456789 abcdef".to_owned(), key("a")),
            ("a = 0123456789abcdeä".to_owned(), key("a")),
            (format!("a = {long}"), key("a")),
        ];
        for (text, expected) in cases {
            assert_eq!(Keys::parse(&text).map(|keys| keys.len()), expected, "{text:?}");
        }
        let many = |count: usize| Keys::new((0..count).map(|n| (format!("k{n}"), format!("{n:016}"))));
        assert!(many(KEYS_MAX).is_ok());
        assert_eq!(many(KEYS_MAX + 1), Err(KeysError::TooMany(KEYS_MAX + 1)));
    }

    #[test]
    fn a_key_is_known_by_its_whole_text_wherever_it_stands() {
        let keys = Keys::parse(&format!("billing = {BILLING}\nshop = {SHOP}")).unwrap();
        let cases = [
            (BILLING, Some("billing")),
            (SHOP, Some("shop")),
            ("0123456789abcdeF", None),
            ("0123456789abcde", None),
            ("0123456789abcdef0", None),
            ("", None),
        ];
        for (shown, expected) in cases {
            assert_eq!(keys.name_of(shown.as_bytes()), expected, "{shown:?}");
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let shown = format!("{:?}", KeysHandle::new(Keys::parse(&format!("billing = {BILLING}")).unwrap()));
        assert!(shown.contains("billing") && !shown.contains("0123"), "{shown}");
    }
}
