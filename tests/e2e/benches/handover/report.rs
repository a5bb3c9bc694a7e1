//! The report: a table for people, or JSON.

use serde_json::{Map, Value, json};

use crate::figures::{self, Figure};
use crate::machine::Facts;
use crate::options::Options;
use crate::passage::{Change, Passage};

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) options: Options,
    pub(crate) machine: Facts,
    pub(crate) passages: Vec<Passage>,
}

/// A figure of every change, over all rounds.
struct Row {
    key: String,
    label: String,
    /// The values of each change, in the order of the rounds.
    values: [Vec<f64>; Change::ALL.len()],
}

impl Report {
    /// Whether everything was as promised.
    pub(crate) fn is_flawless(&self) -> bool {
        self.passages.iter().all(Passage::is_flawless)
    }

    pub(crate) fn print(&self, as_json: bool) {
        match as_json {
            true => println!("{:#}", self.json()),
            false => self.print_table(),
        }
    }

    fn print_table(&self) {
        let Options { rounds, clients, bystanders, rate, settings, .. } = &self.options;
        println!("{}", self.machine.line());
        println!(
            "{clients} clients, {bystanders} of them bystanders; 3 workers, 1 gateway; {rate} messages a second; \
             {rounds} rounds: median (min to max); settings: {settings:?}"
        );
        let verdict = if self.is_flawless() { "kept" } else { "BROKEN" };
        println!("What is promised for each change was {verdict}.\n");
        let heads = Change::ALL.map(Change::as_str);
        let line = |label: &str, cells: [&str; 4]| {
            let [a, b, c, d] = cells;
            println!("| {label:58} | {a:>24} | {b:>24} | {c:>24} | {d:>24} |");
        };
        line("", heads);
        line("---", ["---:"; 4]);
        for row in self.rows() {
            let cells = row.values.each_ref().map(|values| cell(values));
            line(&row.label, cells.each_ref().map(String::as_str));
        }
    }

    fn json(&self) -> Value {
        let Options { rounds, clients, bystanders, rate, settings, .. } = &self.options;
        let mut changes = Map::new();
        for (place, change) in Change::ALL.into_iter().enumerate() {
            let measured = self.rows().into_iter().filter(|row| !row.values[place].is_empty());
            let figures: Map<_, _> = measured.map(|row| (row.key, json!(row.values[place]))).collect();
            changes.insert(change.as_str().to_owned(), figures.into());
        }
        json!({
            "machine": self.machine.json(),
            "rounds": rounds,
            "clients": clients,
            "bystanders": bystanders,
            "messages_per_second": rate,
            "settings": settings,
            "flawless": self.is_flawless(),
            "changes": changes,
        })
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for passage in &self.passages {
            for Figure { key, label, value } in figures::of(passage) {
                let place = rows.iter().position(|row| row.key == key).unwrap_or(rows.len());
                if place == rows.len() {
                    rows.push(Row { key, label, values: Default::default() });
                }
                rows[place].values[passage.change as usize].push(value);
            }
        }
        rows
    }
}

/// `median (min to max)`, with three digits.
fn cell(values: &[f64]) -> String {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let [Some(min), Some(max)] = [values.first(), values.last()] else { return String::new() };
    let median = values[values.len() / 2];
    match min == max {
        true => number(median),
        false => format!("{} ({} to {})", number(median), number(*min), number(*max)),
    }
}

fn number(value: f64) -> String {
    let digits = match value {
        _ if value.fract() == 0.0 || value >= 100.0 => 0,
        _ if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}
