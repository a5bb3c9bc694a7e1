//! `Cargo.lock` as a graph: what a package brings along.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// The locked packages by name, versions of one name taken together.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    uses: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Deserialize)]
struct LockFile {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// What is wrong with the text, from the TOML reader.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let mut lock = Self::default();
        for Locked { name, dependencies } in toml::from_str::<LockFile>(text)?.package {
            // A dependency is written as a name, followed by a version where the name alone is ambiguous.
            let names = dependencies.iter().filter_map(|text| text.split(' ').next()).map(ToOwned::to_owned);
            lock.uses.entry(name).or_default().extend(names);
        }
        Ok(lock)
    }

    /// The shortest way from a package to one of the `wanted`, both ends included.
    pub fn way(&self, from: &str, wanted: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut seen = BTreeSet::from([from]);
        let mut ways = std::collections::VecDeque::from([vec![from]]);
        while let Some(way) = ways.pop_front() {
            let last = *way.last()?;
            if wanted(last) {
                return Some(way.into_iter().map(ToOwned::to_owned).collect());
            }
            for next in self.uses.get(last).into_iter().flatten().map(String::as_str) {
                if seen.insert(next) {
                    ways.push_back([way.as_slice(), &[next]].concat());
                }
            }
        }
        None
    }
}
