//! A report for programs. Figures are numbers under their names; `null` is what could not be measured.

use serde_json::{Map, Value, json};

use super::plot::{Lines, Plot};
use super::{Report, Table};
use crate::threshold::Verdict;

impl Report {
    /// Everything but pictures, as one JSON object.
    pub fn to_json(&self, verdicts: &[Verdict]) -> Value {
        let facts: Map<_, _> = self.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let figures: Map<_, _> = self.figures.iter().map(|it| (it.name.clone(), json!(it.value))).collect();
        let tables: Map<_, _> =
            self.tables.iter().map(|table| (table.name.to_owned(), rows(table))).collect();
        let plots: Vec<_> = self.plots.iter().filter_map(plot).collect();
        json!({
            "test": self.test,
            "facts": facts,
            "notes": self.notes,
            "figures": figures,
            "tables": tables,
            "plots": plots,
            "required": verdicts.iter().map(verdict).collect::<Vec<_>>(),
            "met": verdicts.iter().all(Verdict::is_met),
        })
    }
}

fn rows(table: &Table) -> Value {
    let row = |cells: &Vec<super::Cell>| {
        let named = table.columns.iter().zip(cells);
        Value::Object(named.map(|(column, cell)| (column.name.to_owned(), cell.value.clone())).collect())
    };
    table.rows.iter().map(row).collect()
}

fn plot(plot: &Plot) -> Option<Value> {
    match plot {
        Plot::Lines(Lines { title, x_label, y_label, series, .. }) => {
            let series: Vec<_> =
                series.iter().map(|it| json!({ "name": it.name, "points": it.points })).collect();
            Some(json!({ "title": title, "x": x_label, "y": y_label, "series": series }))
        }
        // Its values stand in a table, too.
        Plot::Bars(_) | Plot::Picture(_) => None,
    }
}

fn verdict(verdict: &Verdict) -> Value {
    json!({
        "requirement": verdict.requirement.to_string(),
        "value": verdict.value,
        "met": verdict.is_met(),
    })
}
