//! Everything that was measured: one value for each round of each system.

use std::collections::BTreeMap;

use crate::options::Part;

/// How often a system may fail.
const FAILURES_MAX: usize = 2;

/// The name of a figure; the unit stands last.
pub(crate) type Key = &'static str;

/// All figures.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// By part, system and key: the values with their rounds.
    cells: BTreeMap<(usize, String, Key), Vec<(u32, f64)>>,
    /// Systems in the order in which they were measured.
    systems: Vec<(Part, String)>,
    /// What could not be measured, and why.
    missing: Vec<Missing>,
}

/// A measurement that failed.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) part: Part,
    pub(crate) system: String,
    pub(crate) why: String,
}

/// A median with its spread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Book {
    pub(crate) fn note(&mut self, part: Part, system: &str, round: u32, figures: &[(Key, f64)]) {
        if !self.systems.iter().any(|(its, name)| (*its, name.as_str()) == (part, system)) {
            self.systems.push((part, system.to_owned()));
        }
        for (key, value) in figures {
            self.cells.entry((part as usize, system.to_owned(), key)).or_default().push((round, *value));
        }
    }

    /// A system could not be measured.
    pub(crate) fn miss(&mut self, part: Part, system: &str, why: String) {
        eprintln!("  {system}: NOT MEASURED: {why}");
        self.missing.push(Missing { part, system: system.to_owned(), why });
    }

    pub(crate) fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Whether it has failed so often that it is not worth the time.
    pub(crate) fn is_hopeless(&self, part: Part, system: &str) -> bool {
        let failures = self.missing.iter().filter(|it| it.part == part && it.system == system);
        failures.count() >= FAILURES_MAX
    }

    pub(crate) fn systems(&self, part: Part) -> impl Iterator<Item = &str> {
        self.systems.iter().filter(move |(its, _)| *its == part).map(|(_, name)| name.as_str())
    }

    /// The values of each round.
    pub(crate) fn values(&self, part: Part, system: &str, key: Key) -> &[(u32, f64)] {
        self.cells.get(&(part as usize, system.to_owned(), key)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn spread(&self, part: Part, system: &str, key: Key) -> Option<Spread> {
        Spread::of(self.values(part, system, key).iter().map(|(_, value)| *value))
    }

    /// One figure as a multiple of another, within each round that has both.
    pub(crate) fn ratio(&self, of: (Part, &str, Key), to: (Part, &str, Key)) -> Option<Spread> {
        let (above, below) = (self.values(of.0, of.1, of.2), self.values(to.0, to.1, to.2));
        let pairs = above.iter().filter_map(|(round, above)| {
            let (_, below) = below.iter().find(|(other, below)| other == round && *below > 0.0)?;
            Some(above / below)
        });
        Spread::of(pairs)
    }

    /// All values, for programs.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (&str, Key, &[(u32, f64)], usize)> {
        self.cells
            .iter()
            .map(|((part, system, key), values)| (system.as_str(), *key, values.as_slice(), *part))
    }
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), min, max })
    }
}

impl std::fmt::Display for Spread {
    /// `median (min to max)`, with three digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { median, min, max } = *self;
        match min.total_cmp(&max) {
            std::cmp::Ordering::Equal => f.write_str(&number(median)),
            _ => write!(f, "{} ({} to {})", number(median), number(min), number(max)),
        }
    }
}

pub(crate) fn number(value: f64) -> String {
    let digits = match value {
        _ if value.fract() == 0.0 || value >= 100.0 => 0,
        _ if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_and_ratios() {
        let mut book = Book::default();
        for (round, ours, theirs) in [(1, 2.0, 4.0), (2, 9.0, 6.0), (3, 3.0, 0.0)] {
            book.note(Part::Delivery, "ours", round, &[("us", ours)]);
            book.note(Part::Delivery, "theirs", round, &[("us", theirs)]);
        }
        let shown = |spread: Option<Spread>| spread.map(|spread| spread.to_string());
        assert_eq!(shown(book.spread(Part::Delivery, "ours", "us")).as_deref(), Some("3 (2 to 9)"));
        assert_eq!(shown(book.spread(Part::Gateways, "ours", "us")), None);
        let (ours, theirs) = ((Part::Delivery, "ours", "us"), (Part::Delivery, "theirs", "us"));
        assert_eq!(shown(book.ratio(ours, theirs)).as_deref(), Some("1 (0.50 to 1.50)"));
    }
}
