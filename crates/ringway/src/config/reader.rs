//! Turns settings as written into settings as typed. Nothing stops at a mistake: the setting counts as its default and
//! reading goes on, so that all mistakes are found at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::layers::Layers;
use super::mistake::{Mistake, Mistakes};
use super::section::Key;
use super::setting::{Flaw, Setting};
use super::value::{Origin, Value};

/// Reads settings and collects what is wrong with them.
#[derive(Debug)]
pub(crate) struct Reader {
    entries: BTreeMap<&'static str, (Origin, Value)>,
    mistakes: Vec<Mistake>,
    effective: Vec<Effective>,
    /// The keys whose values could not be read: what stands in for them is nobody's wish.
    unread: BTreeSet<&'static str>,
}

/// One setting as it is in force.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    /// Which.
    pub(crate) key: &'static Key,
    /// Its value, with secrets hidden; nothing when it is not set.
    pub(crate) value: Option<toml::Value>,
    /// Where it was set.
    pub(crate) origin: Origin,
}

impl Reader {
    /// Reads what was collected.
    pub(crate) fn new(layers: Layers) -> Self {
        let (entries, mistakes) = layers.into_parts();
        Self { entries, mistakes, effective: Vec::new(), unread: BTreeSet::new() }
    }

    /// The setting of this key, or its default.
    pub(crate) fn read<T: Setting>(&mut self, key: &'static Key) -> T {
        let given = self.entries.get(key.name).map(|(origin, value)| (origin.clone(), T::read(value)));
        let (origin, setting) = match given {
            Some((origin, Ok(setting))) => (origin, setting),
            Some((origin, Err(flaws))) => {
                let mistake = |flaw| Mistake::of(origin.clone(), key.name, flaw);
                self.mistakes.extend(flaws.into_iter().map(mistake));
                self.unread.insert(key.name);
                (Origin::Default, built_in(key.default))
            }
            None => (Origin::Default, built_in(key.default)),
        };
        self.effective.push(Effective { key, value: setting.to_toml(), origin });
        setting
    }

    /// The setting, if it lies within the bounds of its key; otherwise its default, and a mistake.
    pub(crate) fn keep_within<T>(&mut self, key: &'static Key, setting: T, min: &str, max: &str) -> T
    where
        T: Setting + PartialOrd,
    {
        let Some((origin, value)) = self.entries.get(key.name) else { return setting };
        if setting.to_toml().is_none() || (built_in::<T>(min)..=built_in(max)).contains(&setting) {
            return setting;
        }
        let (found, expected) = (Some(value.to_string()), format!("{} from {min} to {max}", T::EXPECTED));
        let flaw = Flaw { at: String::new(), line: value.line, found, expected, because: None };
        self.mistakes.push(Mistake::of(origin.clone(), key.name, flaw));
        self.unread.insert(key.name);
        built_in(key.default)
    }

    /// Whether somebody set this key.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether the settings of these keys are what somebody wished, or their defaults: none of them could not be read.
    pub(crate) fn are_read(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| !self.unread.contains(key))
    }

    /// Where a key was set.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.entries.get(key).map_or(Origin::Default, |(origin, _)| origin.clone())
    }

    /// Notes that a key's value does not go together with those of others. Where one of them could not be read, that is the
    /// mistake, and nothing is known about the rest.
    pub(crate) fn contradict(&mut self, key: &'static str, others: &[&str], problem: impl std::fmt::Display) {
        if self.are_read(others) {
            self.object(key, problem);
        }
    }

    /// Notes that a key's value, though well-formed, cannot be. A value that could not be read is wrong already.
    pub(crate) fn object(&mut self, key: &'static str, problem: impl std::fmt::Display) {
        if !self.are_read(&[key]) {
            return;
        }
        let origin = self.origin(key);
        let shown = self.effective.iter().find(|effective| effective.key.name == key);
        let found = shown.and_then(|effective| effective.value.as_ref());
        let text = match found {
            Some(found) => format!("{key} = {found}: {problem}"),
            None => format!("{key}: {problem}"),
        };
        self.mistakes.push(Mistake::new(origin, text));
    }

    /// Notes that a key is needed and not set.
    pub(crate) fn demand(&mut self, problem: impl Into<String>) {
        self.mistakes.push(Mistake::new(Origin::Default, problem));
    }

    /// The text of a file that a setting names, without white space at its ends.
    pub(crate) fn file_text(&mut self, key: &'static str, path: &Path) -> Option<String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                self.object(key, format!("the file cannot be read: {error}"));
                None
            }
        }
    }

    /// The settings in force, if nothing is wrong; otherwise everything that is.
    pub(crate) fn finish(self) -> Result<Vec<Effective>, Mistakes> {
        Mistakes::check(self.mistakes)?;
        Ok(self.effective)
    }
}

/// A default or a bound: part of the program, and read by a test.
fn built_in<T: Setting>(text: &str) -> T {
    let read = T::read(&Value::loose(text));
    read.unwrap_or_else(|flaws| panic!("the built-in value {text:?} is wrong: {flaws:?}"))
}
