//! What a setting can be: the trait [`Setting`], and the types that need nothing of ringway to be understood.
//!
//! A value from a file must have its TOML type (`4`, not `"4"`); text from the environment, a flag or a default may
//! stand for any type. Lists in such text are separated by commas.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::value::{Kind, Value};

/// A type that a setting can have.
pub(crate) trait Setting: Sized {
    /// What it is, with its article: `a duration`.
    const EXPECTED: &'static str;
    /// One that is right, as it is written in a file.
    const EXAMPLE: &'static str;
    /// Whether its text must never be shown.
    const SECRET: bool = false;

    /// Understands a value, or says everything that is wrong with it.
    fn read(value: &Value) -> Result<Self, Vec<Flaw>>;

    /// It as TOML; nothing when it is not set.
    fn to_toml(&self) -> Option<toml::Value>;
}

/// Something wrong with a value, or with a part of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flaw {
    /// Where inside the setting, as `[2].weight`; empty: all of it.
    pub(crate) at: String,
    /// The line of that part, if it is in a file.
    pub(crate) line: Option<usize>,
    /// What was found, fit to be shown; nothing when something is missing.
    pub(crate) found: Option<String>,
    /// What it should have been.
    pub(crate) expected: String,
    /// What exactly is the matter, if there is more to say.
    pub(crate) because: Option<String>,
}

impl Flaw {
    /// The value as a whole is no `T`.
    pub(crate) fn of<T: Setting>(value: &Value) -> Vec<Self> {
        vec![Self::new::<T>(value, None)]
    }

    /// The value as a whole is no `T`, because of this.
    pub(crate) fn because<T: Setting>(value: &Value, because: &str) -> Vec<Self> {
        vec![Self::new::<T>(value, Some(because.to_owned()))]
    }

    fn new<T: Setting>(value: &Value, because: Option<String>) -> Self {
        let found = if T::SECRET { "(hidden)".to_owned() } else { value.to_string() };
        let expected = format!("{}, such as {}", T::EXPECTED, T::EXAMPLE);
        Self { at: String::new(), line: value.line, found: Some(found), expected, because }
    }

    /// The same flaw, seen from the value around it.
    pub(crate) fn below(self, outer: &str) -> Self {
        Self { at: format!("{outer}{}", self.at), ..self }
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";
    const EXAMPLE: &'static str = "true";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        match &value.kind {
            Kind::Boolean(truth) => Ok(*truth),
            Kind::Loose(text) => text.trim().parse().map_err(|_| Flaw::of::<Self>(value)),
            _ => Err(Flaw::of::<Self>(value)),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::Boolean(*self))
    }
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl Setting for $number {
            const EXPECTED: &'static str = "a whole number";
            const EXAMPLE: &'static str = "16";

            fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
                let number = match &value.kind {
                    Kind::Integer(number) => <$number>::try_from(*number).ok(),
                    Kind::Loose(text) => text.trim().parse().ok(),
                    _ => None,
                };
                number.ok_or_else(|| Flaw::of::<Self>(value))
            }

            fn to_toml(&self) -> Option<toml::Value> {
                i64::try_from(*self).ok().map(toml::Value::Integer)
            }
        }
    )+};
}

whole_numbers!(u16, u32, u64, usize);

/// A number of bytes: a whole number, or one with a unit (`KiB`, `MiB`, `GiB`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bytes(pub(crate) usize);

impl Setting for Bytes {
    const EXPECTED: &'static str = "a number of bytes";
    const EXAMPLE: &'static str = "\"64KiB\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let bytes = match &value.kind {
            Kind::Integer(number) => usize::try_from(*number).ok(),
            _ => value.text().and_then(bytes),
        };
        bytes.map(Self).ok_or_else(|| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        self.0.to_toml()
    }
}

fn bytes(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit: usize = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

impl Setting for String {
    const EXPECTED: &'static str = "a text";
    const EXAMPLE: &'static str = "\"text\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        value.text().map(str::to_owned).ok_or_else(|| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.clone()))
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(String);

impl Hidden {
    /// The text itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Setting for Hidden {
    const EXPECTED: &'static str = "a text";
    const EXAMPLE: &'static str = "\"the output of openssl rand -hex 32\"";
    const SECRET: bool = true;

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        value.text().map(|text| Self(text.to_owned())).ok_or_else(|| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String("(hidden)".to_owned()))
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a file's path";
    const EXAMPLE: &'static str = "\"/etc/ringway/secret\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let path = value.text().filter(|text| !text.is_empty());
        path.map(Self::from).ok_or_else(|| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.display().to_string()))
    }
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration with its unit";
    const EXAMPLE: &'static str = "\"250ms\", \"10s\" or \"5m\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let text = value.text().ok_or_else(|| Flaw::of::<Self>(value))?;
        humantime::parse_duration(text).map_err(|_| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String(humantime::format_duration(*self).to_string()))
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str = "an IP address with a port";
    const EXAMPLE: &'static str = "\"127.0.0.1:8080\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let address = value.text().and_then(|text| text.parse().ok());
        address.ok_or_else(|| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_string()))
    }
}

impl<T: Setting> Setting for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const EXAMPLE: &'static str = T::EXAMPLE;
    const SECRET: bool = T::SECRET;

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        if value.is_blank() { Ok(None) } else { T::read(value).map(Some) }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        self.as_ref().and_then(Setting::to_toml)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const EXPECTED: &'static str = "a list";
    const EXAMPLE: &'static str = T::EXAMPLE;

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        match &value.kind {
            Kind::List(items) => read_items(items),
            Kind::Loose(text) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                read_items(&items.map(Value::loose).collect::<Vec<_>>())
            }
            _ => Err(vec![Flaw {
                expected: format!("a list, such as [{}]", T::EXAMPLE),
                ..Flaw::new::<Self>(value, None)
            }]),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().filter_map(Setting::to_toml).collect()))
    }
}

/// Reads each item of a list, and reports the flaws of all.
pub(crate) fn read_items<T: Setting>(items: &[Value]) -> Result<Vec<T>, Vec<Flaw>> {
    let mut flaws = Vec::new();
    let mut read = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match T::read(item) {
            Ok(item) => read.push(item),
            Err(found) => flaws.extend(found.into_iter().map(|flaw| flaw.below(&format!("[{index}]")))),
        }
    }
    if flaws.is_empty() { Ok(read) } else { Err(flaws) }
}
