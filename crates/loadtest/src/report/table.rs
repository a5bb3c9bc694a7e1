//! A table: columns with names for programs and headings for people, and rows of cells that are values and know how they look.

use serde_json::{Number, Value};

use super::figure::{Zeros, decimal};

/// Rows under a heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What it shows, for people.
    pub(crate) title: String,
    /// Its name in JSON.
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Whether it is for those only who look for more: not at the terminal, and folded up on the page.
    pub(crate) is_detail: bool,
}

/// What stands above the cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The key in JSON.
    pub(crate) name: &'static str,
    pub(crate) heading: String,
    pub(crate) align: Align,
}

/// On which side cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A value and how it looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub(crate) value: Value,
    pub(crate) shown: String,
}

impl Table {
    /// A table without rows.
    pub fn new(
        name: &'static str,
        title: impl Into<String>,
        columns: impl IntoIterator<Item = Column>,
    ) -> Self {
        Self {
            title: title.into(),
            name,
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
            is_detail: false,
        }
    }

    /// The same table, for those only who look for more.
    #[must_use]
    pub fn detail(self) -> Self {
        Self { is_detail: true, ..self }
    }

    /// One more row, with a cell for each column.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        let row: Vec<_> = row.into_iter().collect();
        debug_assert_eq!(row.len(), self.columns.len(), "a row of {} has other columns", self.name);
        self.rows.push(row);
    }
}

impl Column {
    /// A column of text.
    pub fn text(name: &'static str, heading: impl Into<String>) -> Self {
        Self { name, heading: heading.into(), align: Align::Left }
    }

    /// A column of numbers.
    pub fn number(name: &'static str, heading: impl Into<String>) -> Self {
        Self { name, heading: heading.into(), align: Align::Right }
    }
}

impl Cell {
    /// A number with so many decimals; what is no finite number is missing.
    pub fn number(value: f64, decimals: usize) -> Self {
        match Number::from_f64(value) {
            None => Self::missing(),
            Some(number) => Self { value: number.into(), shown: decimal(value, decimals, Zeros::Kept) },
        }
    }

    /// A number that may not be there.
    pub fn maybe(value: Option<f64>, decimals: usize) -> Self {
        value.map_or_else(Self::missing, |value| Self::number(value, decimals))
    }

    /// A value that could not be measured.
    pub fn missing() -> Self {
        Self { value: Value::Null, shown: "–".to_owned() }
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self { value: count.into(), shown: decimal(count as f64, 0, Zeros::Kept) }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self { value: text.into(), shown: text.to_owned() }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { value: text.as_str().into(), shown: text }
    }
}
