//! What `load soak` tells.

use super::{Kind, Left, Outcome, Series};
use crate::beat::Curve;
use crate::report::{Cell, Column, Report, Table};
use crate::shown::{Spread, account, bytes, causes, count, over_time, percentiles_over_time, spreads};

/// The kinds of what could grow, and how they are drawn.
const DRAWN: [(Kind, &str, &str, f64); 4] = [
    (Kind::Resident, "Resident memory", "MiB", 1.0 / (1 << 20) as f64),
    (Kind::Files, "Open files", "files", 1.0),
    (Kind::Tasks, "Tasks", "tasks", 1.0),
    (Kind::Sessions, "Sessions without a client", "sessions", 1.0),
];

impl Outcome {
    /// The report.
    pub(crate) fn report(&self) -> Report {
        let growing = self.series.iter().filter(|series| series.is_leaking()).count();
        let behind = self.left.iter().filter(|left| left.is_too_much()).count();
        let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum();
        let report = Report::new("soak", "A mixed life")
            .fact("duration", format!("{:.0} s", self.lived.as_secs_f64()))
            .figure(count("leaks", (growing + behind) as u64, "what grows or is left behind, and should not"))
            .figure(count("sent", self.sent, "messages sent"))
            .figure(count("arrived", self.arrived, "arrivals"))
            .figure(count("opened", self.handshakes.count(), "sockets that were opened"))
            .figure(count("failed", sum(&self.failures), "handshakes that failed"))
            .figure(count("dropped", sum(&self.ends), "sockets that ended without their clients' doing"))
            .figure(count("ring_changes", self.changes, "changes of the ring"))
            .figure(count(
                "ring_change_failures",
                sum(&self.change_failures),
                "changes of the ring that failed",
            ));
        let report = account(report, &self.flaws, self.strange, &self.told);
        let spread = |name, meaning, recorded| Spread { name, meaning, recorded };
        let report = spreads(
            report,
            &[
                spread("latency", "from when a message was due until a client had it", &self.latency),
                spread(
                    "handshake",
                    "from when a handshake was due until its socket was open",
                    &self.handshakes,
                ),
            ],
        );
        let report = report.table(growth(&self.series)).table(remains(&self.left));
        let report = causes(report, "failures", "Handshakes that failed", &self.failures);
        let report = causes(report, "ends", "Sockets that ended", &self.ends);
        let report = causes(report, "change_failures", "Ring changes that failed", &self.change_failures);
        let report = report.plot(percentiles_over_time("Latency over time", &self.percentiles));
        let report = DRAWN.into_iter().fold(report, |report, kind| drawn(report, &self.series, kind));
        let report = if self.changes > 0 { report } else { report.note("The ring did not change.") };
        let tells = self.series.iter().any(|series| series.kind == Kind::Tasks);
        let note = "No node told how many tasks it has: --metrics names where they do (node.status_listen).";
        let report = if tells { report } else { report.note(note) };
        report.note("Growth is how far a straight line through the second half of the values rises: caches and pools fill in the first.")
    }
}

fn growth(all: &[Series]) -> Table {
    let columns = [
        Column::text("what", "what"),
        Column::text("mean", "mean"),
        Column::text("rise", "growth in the second half"),
        Column::text("per_hour", "in an hour"),
        Column::text("leak", "leak"),
    ];
    let mut table = Table::new("growth", "What could grow", columns);
    for series in all {
        let told = |value: f64| match series.kind {
            Kind::Resident => bytes(value),
            _ => format!("{value:.1}"),
        };
        let trend = series.trend();
        let cell = |value: Option<f64>| Cell::from(value.map_or_else(|| "–".to_owned(), told));
        let verdict = match trend {
            None => "too short to say",
            Some(_) if series.is_leaking() => "it grows",
            Some(_) => "no",
        };
        table.push([
            Cell::from(series.name.as_str()),
            cell(trend.map(|trend| trend.mean)),
            cell(trend.map(|trend| trend.rise)),
            cell(trend.map(|trend| trend.per_hour)),
            Cell::from(verdict),
        ]);
    }
    table
}

fn remains(all: &[Left]) -> Table {
    let columns = [
        Column::text("what", "what"),
        Column::number("before", "before anybody came"),
        Column::number("after", "when all had gone"),
        Column::text("leak", "leak"),
    ];
    let mut table = Table::new("left", "What could be left behind", columns);
    for left in all {
        let verdict = if left.is_too_much() { "left behind" } else { "no" };
        table.push([Cell::from(left.name.as_str()), left.before.into(), left.after.into(), verdict.into()]);
    }
    table
}

fn drawn(report: Report, all: &[Series], (kind, title, unit, factor): (Kind, &str, &str, f64)) -> Report {
    let curve = |series: &Series| {
        Curve(series.values.iter().map(|(at, value)| (at.as_secs_f64(), value * factor)).collect())
    };
    let of_kind = all.iter().filter(|series| series.kind == kind);
    let curves: Vec<_> = of_kind.map(|series| (series.name.as_str(), curve(series))).collect();
    let curves: Vec<_> = curves.iter().map(|(name, curve)| (*name, curve)).collect();
    if curves.is_empty() { report } else { report.plot(over_time(title, unit, &curves)) }
}
