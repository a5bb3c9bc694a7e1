//! Writing to stdout. A reader that has gone away (`ringway … | head`) is no error of ours: writing gives up with
//! [`StdoutClosed`], and `main` ends quietly.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

/// Nobody reads our stdout any more.
#[derive(Debug, thiserror::Error)]
#[error("stdout is closed")]
pub(crate) struct StdoutClosed;

/// How a command shows its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Human,
    /// For programs: one JSON value on one line.
    Json,
}

impl Form {
    /// By the flag `--json`.
    pub(crate) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Human }
    }
}

/// Writes one line, or several, and sees to it that they leave at once.
///
/// # Errors
/// [`StdoutClosed`], or whatever else the system has against it.
pub(crate) fn line(text: impl Display) -> anyhow::Result<()> {
    raw(format!("{text}\n").as_bytes())
}

/// Writes a value as JSON on one line.
///
/// # Errors
/// As [`line()`].
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?)
}

/// Writes bytes as they are.
///
/// # Errors
/// As [`line()`].
pub(crate) fn raw(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => StdoutClosed.into(),
        _ => anyhow::Error::from(error).context("cannot write to stdout"),
    })
}

/// Lays rows out in columns under a heading. The last column is as wide as it wants.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let lay = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines = rows.iter().map(|row| lay(std::array::from_fn(|column| row[column].as_str())));
    std::iter::once(lay(heading)).chain(lines).collect::<Vec<_>>().join("\n")
}

/// An error and its causes on one line. A cause that its effect tells already is passed over.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        match text.as_str() {
            "" => text = cause,
            told if told.contains(&cause) => {}
            _ => text = format!("{text}: {cause}"),
        }
    }
    text
}

/// `1 session`, `2 sessions`.
pub(crate) fn count(number: impl Into<u64>, what: &str) -> String {
    match number.into() {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["w1".to_owned(), "87381".to_owned()], ["wörker".to_owned(), "2".to_owned()]];
        assert_eq!(table(["id", "slots"], &rows), "id      slots\nw1      87381\nwörker  2");
    }

    #[test]
    fn causes_are_told_once() {
        let error =
            anyhow::anyhow!("connection refused").context("cannot send: connection refused").context("send");
        assert_eq!(chain(&error), "send: cannot send: connection refused");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0_u32, 1, 2].map(|n| count(n, "session")), ["0 sessions", "1 session", "2 sessions"]);
    }
}
