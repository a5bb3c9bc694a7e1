//! What is wrong with a configuration: all of it, each with its place.

use std::fmt;

use serde_json::json;

use super::setting::Flaw;
use super::value::Origin;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mistake {
    origin: Origin,
    /// What is wrong, what was found, and what it should have been.
    text: String,
}

impl Mistake {
    /// A mistake in words.
    pub(crate) fn new(origin: Origin, text: impl Into<String>) -> Self {
        Self { origin, text: text.into() }
    }

    /// A value that is not what its key demands.
    pub(crate) fn of(origin: Origin, key: &str, flaw: Flaw) -> Self {
        let key = format!("{key}{}", flaw.at);
        let because = flaw.because.map(|because| format!(" ({because})")).unwrap_or_default();
        let text = match flaw.found {
            Some(found) => format!("{key} = {found}: expected {}{because}", flaw.expected),
            None => format!("{key} is missing: expected {}{because}", flaw.expected),
        };
        Self { origin: at_line(origin, flaw.line), text }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Default => f.write_str(&self.text),
            origin => write!(f, "{origin}: {}", self.text),
        }
    }
}

/// Everything that is wrong: never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// A single mistake after which nothing else can be looked at.
    pub(crate) fn one(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }

    /// Nothing, if nothing is wrong; otherwise everything, in the order of the places.
    pub(crate) fn check(mut mistakes: Vec<Mistake>) -> Result<(), Self> {
        mistakes.sort();
        mistakes.dedup();
        if mistakes.is_empty() { Ok(()) } else { Err(Self(mistakes)) }
    }

    /// All of them for programs: where each is, if it is somewhere, and what is wrong.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let place = |origin: &Origin| match origin {
            Origin::Default => None,
            origin => Some(origin.to_string()),
        };
        let mistake = |mistake: &Mistake| json!({ "place": place(&mistake.origin), "text": mistake.text });
        self.0.iter().map(mistake).collect()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has a mistake:")?,
            count => write!(f, "the configuration has {count} mistakes:")?,
        }
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

fn at_line(origin: Origin, line: Option<usize>) -> Origin {
    match (origin, line) {
        (Origin::File { path, .. }, Some(line)) => Origin::File { path, line },
        (origin, _) => origin,
    }
}
