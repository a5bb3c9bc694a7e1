//! A setting as somebody wrote it, before anybody knows what it means: its shape, its line, and where it came from.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeInteger, DeTable, DeValue};

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// By a subcommand that has another default.
    Command(&'static str),
    /// In a file, on this line.
    File { path: Arc<Path>, line: usize },
    /// In an environment variable of this name.
    Environment(String),
    /// On the command line, by this flag.
    Flag(String),
}

impl Origin {
    /// How much its settings count: what is set at a higher rank wins.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Command(_) => 1,
            Self::File { .. } => 2,
            Self::Environment(_) => 3,
            Self::Flag(_) => 4,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::Command(name) => write!(f, "default of {name}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value with its shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    /// The line of the file on which it begins; none outside files.
    pub(crate) line: Option<usize>,
    /// What it looks like.
    pub(crate) kind: Kind,
}

/// The shapes of values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// From the environment, a flag or a default: plain text that may stand for any type.
    Loose(String),
    /// A TOML string, and nothing else.
    Text(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array.
    List(Vec<Value>),
    /// A TOML table, in the order of its keys.
    Table(Vec<(String, Value)>),
    /// What no setting is made of (dates, floats, integers beyond 64 bits), as it was written.
    Foreign(String),
}

impl Value {
    /// Text from outside a file.
    pub(crate) fn loose(text: impl Into<String>) -> Self {
        Self { line: None, kind: Kind::Loose(text.into()) }
    }

    /// Whether it says nothing: an environment variable that is set but empty counts as not set.
    pub(crate) fn is_blank(&self) -> bool {
        matches!(&self.kind, Kind::Loose(text) if text.trim().is_empty())
    }

    /// The text of a string, from wherever it came.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Loose(text) => Some(text.trim()),
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes over a table of a parsed file; `text` is the whole file, for counting lines.
    pub(crate) fn entries(table: &DeTable<'_>, text: &str) -> Vec<(String, Self)> {
        let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            let line = line_at(text, key.span().start);
            (name.to_string(), Self::from_toml(value.get_ref(), line, text))
        };
        let mut entries: Vec<_> = table.iter().map(entry).collect();
        entries.sort_by_key(|(_, value)| value.line);
        entries
    }

    fn from_toml(value: &DeValue<'_>, line: usize, text: &str) -> Self {
        let kind = match value {
            DeValue::String(text) => Kind::Text(text.to_string()),
            DeValue::Integer(number) => integer(number),
            DeValue::Float(number) => Kind::Foreign(number.as_str().to_owned()),
            DeValue::Boolean(truth) => Kind::Boolean(*truth),
            DeValue::Datetime(when) => Kind::Foreign(when.to_string()),
            DeValue::Table(table) => Kind::Table(Self::entries(table, text)),
            DeValue::Array(array) => {
                let item = |item: &toml::Spanned<DeValue<'_>>| {
                    Self::from_toml(item.get_ref(), line_at(text, item.span().start), text)
                };
                Kind::List(array.iter().map(item).collect())
            }
        };
        Self { line: Some(line), kind }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Loose(text) | Kind::Text(text) => write!(f, "{text:?}"),
            Kind::Integer(number) => write!(f, "{number}"),
            Kind::Boolean(truth) => write!(f, "{truth}"),
            Kind::List(items) => write!(f, "[{}]", join(items.iter().map(ToString::to_string))),
            Kind::Table(entries) => {
                write!(f, "{{ {} }}", join(entries.iter().map(|(key, value)| format!("{key} = {value}"))))
            }
            Kind::Foreign(text) => f.write_str(text),
        }
    }
}

fn integer(number: &DeInteger<'_>) -> Kind {
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(number) => Kind::Integer(number),
        Err(_) => Kind::Foreign(number.to_string()),
    }
}

/// The line, counted from 1, of a place in a text.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
