//! What `load article` tells.

use super::{Outcome, Row};
use crate::report::{Bars, Cell, Column, Figure, Report, Table};
use crate::shown::count;

impl Outcome {
    /// The report.
    pub(crate) fn report(&self) -> Report {
        let (asked, doubled) = self.rows.split_at(self.asked.min(self.rows.len()));
        let sound = || self.rows.iter().filter(|row| row.failure().is_none());
        let best = sound().map(Row::throughput).fold(0.0, f64::max);
        let threads = sound().map(|row| row.step.threads).max().unwrap_or_default();
        let worst = asked.iter().map(Row::error_percent).fold(0.0, f64::max);
        let failed = asked.iter().filter(|row| row.failure().is_some()).count() as u64;
        let mut report = Report::new("article", "Concurrent sends to one group")
            .figure(Figure::new(
                "error_percent",
                worst,
                "%",
                "sends that failed, in the worst of the rows that were asked for",
            ))
            .figure(count("failed_rows", failed, "rows that were asked for and failed"))
            .figure(Figure::new(
                "throughput_max",
                best,
                "/s",
                "sends in a second, in the best row that did not fail",
            ))
            .figure(count("threads_max", threads.into(), "threads of the largest row that did not fail"))
            .figure(count(
                "lost",
                self.rows.iter().map(|row| row.lost).sum(),
                "messages that were delivered by their receipts and did not arrive",
            ))
            .figure(count("repeated", self.repeated, "arrivals that came once more"))
            .table(table("rows", "Sends to one group", asked));
        if !doubled.is_empty() {
            report = report.table(table("doubled", "Doubled until something fails", doubled));
        }
        if !self.rows.is_empty() {
            let bars = self.rows.iter().map(|row| (row.step.to_string(), row.throughput())).collect();
            report = report.plot(Bars { title: "Throughput".to_owned(), unit: "/s", bars });
        }
        for row in asked {
            if let Some(failure) = row.failure() {
                report = report.note(format!("{} failed: {failure}.", row.step));
            }
        }
        let end = &self.end;
        report.fact("members of the group", self.members.to_string()).note(format!("What ended it: {end}."))
    }
}

fn table(name: &'static str, title: &str, rows: &[Row]) -> Table {
    let columns = [
        Column::number("threads", "threads"),
        Column::number("seconds", "time, s"),
        Column::number("real_seconds", "real time, s"),
        Column::number("loops", "loops"),
        Column::number("error_percent", "error rate, %"),
        Column::number("throughput", "throughput, /s"),
        Column::number("mean_ms", "mean, ms"),
        Column::number("p99_ms", "p99, ms"),
        Column::number("cpu_us", "CPU each, us"),
        Column::text("failure", "failure"),
    ];
    let mut table = Table::new(name, title, columns);
    for row in rows {
        table.push([
            Cell::from(u64::from(row.step.threads)),
            Cell::number(row.step.ramp_up.as_secs_f64(), 1),
            Cell::number(row.real.as_secs_f64(), 2),
            Cell::from(u64::from(row.step.loops)),
            Cell::number(row.error_percent(), 2),
            Cell::number(row.throughput(), 1),
            Cell::number(row.mean_ms, 2),
            Cell::number(row.p99_ms, 2),
            Cell::maybe(row.cpu_us, 0),
            Cell::from(row.failure().unwrap_or_default()),
        ]);
    }
    table
}
