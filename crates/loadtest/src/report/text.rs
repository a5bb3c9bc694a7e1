//! A report for people at a terminal: tables in columns, figures with what they mean, and of each line a small one.

use std::fmt::Write as _;

use super::figure::shown;
use super::plot::{Lines, Plot, Series};
use super::{Align, Cell, Column, Figure, Report, Table};
use crate::threshold::Verdict;

/// How many values a small line shows.
const SPARKS: usize = 48;

impl Report {
    /// The report as text, without a line break behind it.
    pub fn to_text(&self, verdicts: &[Verdict]) -> String {
        let mut parts = vec![self.head()];
        let tables = self.tables.iter().filter(|table| !table.is_detail);
        parts.extend(tables.map(|table| format!("{}\n\n{}", table.title, table_text(table))));
        let figures = figures(self.figures.iter().filter(|figure| !figure.is_in_table));
        if !figures.rows.is_empty() {
            parts.push(table_text(&figures));
        }
        parts.extend(self.plots.iter().filter_map(plot_text));
        parts.extend(self.notes.iter().map(|note| format!("Note: {note}")));
        if !verdicts.is_empty() {
            parts.push(verdicts.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
        parts.join("\n\n")
    }

    fn head(&self) -> String {
        let width = self.facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let mut text = self.title.clone();
        for (name, value) in &self.facts {
            // Writing into a string cannot fail.
            let _ = write!(text, "\n  {name:<width$}  {value}");
        }
        text
    }
}

fn figures<'a>(figures: impl Iterator<Item = &'a Figure>) -> Table {
    let columns =
        [Column::text("figure", "figure"), Column::number("value", "value"), Column::text("meaning", "")];
    let mut table = Table::new("figures", "", columns);
    for figure in figures {
        table.push([&figure.name, &figure.told(), &figure.meaning].map(|text| Cell::from(text.as_str())));
    }
    table
}

/// Columns as wide as their widest cell, two spaces between them.
fn table_text(table: &Table) -> String {
    let width = |index: usize| {
        let cells = table.rows.iter().map(|row| row[index].shown.chars().count());
        cells.chain([table.columns[index].heading.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..table.columns.len()).map(width).collect();
    let lay = |cells: Vec<&str>| {
        let padded =
            cells.iter().zip(&widths).zip(&table.columns).map(|((cell, width), column)| match column.align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let heading = lay(table.columns.iter().map(|column| column.heading.as_str()).collect());
    let rows = table.rows.iter().map(|row| lay(row.iter().map(|cell| cell.shown.as_str()).collect()));
    std::iter::once(heading).chain(rows).collect::<Vec<_>>().join("\n")
}

fn plot_text(plot: &Plot) -> Option<String> {
    let Plot::Lines(Lines { title, y_label, series, .. }) = plot else { return None };
    let series: Vec<_> = series.iter().filter(|it| it.points.len() > 1).collect();
    if series.is_empty() {
        return None;
    }
    let width = series.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
    let mut text = format!("{title} ({y_label})");
    for line in series {
        let values = || line.points.iter().map(|point| point.1);
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let sparks = sparks(line, low.min(0.0), high);
        // Writing into a string cannot fail.
        let _ = write!(text, "\n  {:<width$}  {sparks}  {} to {}", line.name, shown(low), shown(high));
    }
    Some(text)
}

/// The line as characters of different heights, from 0 or less to its highest value.
fn sparks(line: &Series, low: f64, high: f64) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let count = line.points.len();
    let shown = count.min(SPARKS);
    let chunk = |index: usize| &line.points[index * count / shown..(index + 1) * count / shown];
    let mean = |points: &[(f64, f64)]| points.iter().map(|point| point.1).sum::<f64>() / points.len() as f64;
    let height =
        |value: f64| if high > low { ((value - low) / (high - low) * 7.0).round() as usize } else { 0 };
    (0..shown).map(|index| HEIGHTS[height(mean(chunk(index))).min(7)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Scale;

    fn report() -> Report {
        let mut table =
            Table::new("nodes", "Nodes", [Column::text("id", "node"), Column::number("keys", "keys")]);
        table.push(["w1".into(), 1_234_u64.into()]);
        table.push(["wörker".into(), Cell::missing()]);
        let lines = Lines {
            title: "Latency".into(),
            x_label: "seconds".into(),
            x_scale: Scale::Linear,
            y_label: "ms".into(),
            y_scale: Scale::Linear,
            series: vec![Series::new("p50", [(0.0, 1.0), (1.0, 2.0), (2.0, 8.0)]), Series::new("none", [])],
        };
        Report::new("x", "A test")
            .fact("keys", "7")
            .figure(Figure::new("lost", 0.0, "", "did not arrive"))
            .table(table)
            .table(Table::new("more", "For those who look for more", [Column::text("id", "node")]).detail())
            .plot(lines)
            .note("all of it is made up")
    }

    #[test]
    fn people_read_it() {
        let verdict = "lost<=0".parse::<crate::Requirement>().unwrap().judge(&report());
        let expected = "\
A test
  keys  7

Nodes

node     keys
w1      1,234
wörker      –

figure  value
lost        0  did not arrive

Latency (ms)
  p50  ▂▃█  1 to 8

Note: all of it is made up

met: lost<=0 (0)";
        assert_eq!(report().to_text(&[verdict]), expected);
    }

    #[test]
    fn programs_read_it() {
        let json = report().to_json(&["lost>=1".parse::<crate::Requirement>().unwrap().judge(&report())]);
        assert_eq!(json["facts"]["keys"], "7");
        assert_eq!(json["figures"]["lost"], 0.0);
        assert_eq!(json["tables"]["nodes"][0], serde_json::json!({ "id": "w1", "keys": 1234 }));
        assert_eq!(json["tables"]["nodes"][1]["keys"], serde_json::Value::Null);
        assert_eq!(json["tables"]["more"], serde_json::json!([]));
        assert_eq!(json["plots"][0]["series"][0]["points"][2], serde_json::json!([2.0, 8.0]));
        assert_eq!((&json["required"][0]["met"], &json["met"]), (&false.into(), &false.into()));
    }
}
