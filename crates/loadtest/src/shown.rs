//! What the reports of several tests show in the same way.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::beat::{Curve, Percentiles};
use crate::report::{Cell, Column, Figure, Lines, Report, Scale, Series, Table};
use crate::traffic::{Flaws, Recorded, Told};

/// The percentiles that are shown: quantiles, and their names in figures.
const PERCENTILES: [(f64, &str); 6] =
    [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99_9"), (0.9999, "p99_99"), (1.0, "max")];

/// Processor time that a test has used, of each watched process by name, and of the load generator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used {
    pub(crate) servers: Vec<(String, Duration)>,
    pub(crate) own: Duration,
}

/// What was measured many times, under a name.
pub(crate) struct Spread<'a> {
    /// Such as `latency`: figures begin with it.
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) recorded: &'a Recorded,
}

/// The names of all figures of a report.
pub(crate) fn names(report: &Report) -> Vec<String> {
    report.figures.iter().map(|figure| figure.name.clone()).collect()
}

/// A count under a name.
pub(crate) fn count(name: &'static str, count: u64, meaning: &str) -> Figure {
    Figure::new(name, count as f64, "", meaning)
}

/// The percentiles of each.
pub(crate) fn spreads<const N: usize>(mut report: Report, spreads: &[Spread<'_>; N]) -> Report {
    let columns = PERCENTILES.map(|(_, suffix)| Column::number(suffix, suffix.replace('_', ".")));
    let heading = [Column::text("what", "what")].into_iter().chain(columns);
    let mut table = Table::new("percentiles", "Percentiles, in milliseconds", heading);
    for Spread { name, meaning, recorded } in spreads {
        let values = PERCENTILES.map(|(quantile, _)| recorded.millis(quantile));
        let cells = values.map(|value| Cell::maybe(value, 3));
        table.push([Cell::from(format!("{name}: {meaning}"))].into_iter().chain(cells));
        for ((_, suffix), value) in PERCENTILES.iter().zip(values) {
            let told = format!("{name}, {}", suffix.replace('_', "."));
            report = report.figure(Figure::new(
                format!("{name}_{suffix}_ms"),
                value.unwrap_or(f64::NAN),
                "ms",
                told,
            ));
        }
    }
    let series: Vec<_> = spreads
        .iter()
        .filter(|spread| spread.recorded.count() > 0)
        .map(|spread| Series::new(spread.name, quantiles(spread.recorded)))
        .collect();
    let report = report.table(table);
    if series.is_empty() {
        return report;
    }
    report.plot(Lines {
        title: "By percentile".to_owned(),
        x_label: "percentile".to_owned(),
        x_scale: Scale::Nines,
        y_label: "ms".to_owned(),
        y_scale: Scale::Log,
        series,
    })
}

/// What the account of all messages says, and what the sender was told.
pub(crate) fn account(report: Report, flaws: &Flaws, strange: u64, told: &Told) -> Report {
    let errors: u64 = told.errors.values().sum();
    let all = errors + told.outcomes.values().sum::<u64>();
    let percent = 100.0 * errors as f64 / all.max(1) as f64;
    let report = report
        .figure(count(
            "lost",
            flaws.lost,
            "messages of which the sender was told that they were delivered, and that did not arrive",
        ))
        .figure(count("repeated", flaws.repeated, "arrivals that came once more"))
        .figure(count(
            "out_of_order",
            flaws.late,
            "arrivals behind a younger one of the same sender and target",
        ))
        .figure(count(
            "strange",
            strange,
            "arrivals that nobody has sent in this test, or at the wrong client",
        ))
        .figure(count("errors", errors, "sends that failed"))
        .figure(Figure::new("error_percent", percent, "%", "their share"))
        .figure(count("short", told.short, "receipts that tell of fewer sessions than there are"))
        .figure(count("doubtful", told.doubtful, "failed sends that may have been delivered"));
    let answers = told.outcomes.iter().chain(&told.errors);
    let answers: BTreeMap<_, _> = answers.map(|(name, count)| (*name, *count)).collect();
    causes(report, "answers", "What the sender was told", &answers)
}

/// Causes and how often each was seen, if any was.
pub(crate) fn causes(
    report: Report,
    name: &'static str,
    title: &str,
    causes: &BTreeMap<impl AsRef<str>, u64>,
) -> Report {
    if causes.is_empty() {
        return report;
    }
    let mut table =
        Table::new(name, title, [Column::text("cause", "what"), Column::number("count", "times")]);
    for (cause, count) in causes {
        table.push([Cell::from(cause.as_ref()), Cell::from(*count)]);
    }
    report.table(table)
}

/// Processor time, of each process and for each message.
pub(crate) fn processors(report: Report, used: &Used, messages: u64) -> Report {
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / messages as f64;
    let columns = [
        Column::text("process", "process"),
        Column::number("seconds", "processor time, s"),
        Column::number("us_per_message", "for each message, us"),
    ];
    let mut table = Table::new("processors", "Processor time", columns);
    let all = used.servers.iter().map(|(name, time)| (name.as_str(), *time));
    for (name, time) in all.chain([("load generator", used.own)]) {
        table.push([Cell::from(name), Cell::number(time.as_secs_f64(), 2), Cell::number(micros(time), 1)]);
    }
    let (name, meaning) = ("cpu_us_per_message", "processor time of the watched processes for each message");
    if used.servers.is_empty() {
        let note = "No process was watched: those that listen at the addresses are not on this machine, or not ours to look at. \
                    --process NAME=PID names others.";
        return report.table(table).figure(Figure::missing(name, "us", meaning)).note(note);
    }
    let servers: Duration = used.servers.iter().map(|(_, time)| *time).sum();
    report.table(table).figure(Figure::new(name, micros(servers), "us", meaning))
}

/// Curves over the time of the test.
pub(crate) fn over_time(title: &str, unit: &str, curves: &[(&str, &Curve)]) -> Lines {
    let series = curves.iter().map(|(name, curve)| Series::new(*name, curve.0.clone())).collect();
    Lines {
        title: title.to_owned(),
        x_label: "seconds".to_owned(),
        x_scale: Scale::Linear,
        y_label: unit.to_owned(),
        y_scale: Scale::Linear,
        series,
    }
}

/// Percentiles over the time of the test.
pub(crate) fn percentiles_over_time(title: &str, percentiles: &Percentiles) -> Lines {
    over_time(title, "ms", &[("p50", &percentiles.p50), ("p99", &percentiles.p99)])
}

/// Bytes as people read them.
pub(crate) fn bytes(count: f64) -> String {
    match count.abs() {
        small if small < 10.0 * 1024.0 => format!("{count:.0} B"),
        medium if medium < 10.0 * 1024.0 * 1024.0 => format!("{:.1} KiB", count / 1024.0),
        _ => format!("{:.1} MiB", count / 1024.0 / 1024.0),
    }
}

/// From the middle to the last of all that were recorded.
fn quantiles(recorded: &Recorded) -> Vec<(f64, f64)> {
    // The last of 1,000 stands at 0.999.
    let last = 1.0 - 1.0 / recorded.count() as f64;
    let steps = (3..=60).map(|step| 1.0 - 10_f64.powf(-f64::from(step) / 10.0));
    let quantiles = steps.take_while(|quantile| *quantile < last).chain([last]);
    quantiles.filter_map(|quantile| Some((quantile, recorded.millis(quantile)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Latency;

    fn recorded(count: u64) -> Recorded {
        let latency = Latency::default();
        (1..=count).for_each(|ms| latency.record(Duration::from_millis(ms)));
        latency.merged()
    }

    #[test]
    fn percentiles_become_figures() {
        let report = |recorded: &Recorded| {
            spreads(Report::new("send", ""), &[Spread { name: "latency", meaning: "", recorded }])
        };
        let report = (report(&recorded(100)), report(&recorded(0)));
        let rounded = |name: &str| report.0.value(name).map(|value| value.round() as u64);
        assert_eq!(
            ["latency_p50_ms", "latency_p99_ms", "latency_max_ms"].map(rounded),
            [Some(50), Some(99), Some(100)]
        );
        assert_eq!(report.1.value("latency_p50_ms"), None);
    }

    #[test]
    fn a_line_of_quantiles_ends_with_what_was_seen() {
        let line = quantiles(&recorded(1_000));
        assert!((line[0].0 - 0.5).abs() < 0.01);
        let (quantile, value) = line[line.len() - 1];
        assert!((quantile - 0.999).abs() < 1e-9 && value > 990.0, "{quantile} {value}");
        assert_eq!(quantiles(&recorded(1)).len(), 1);
    }

    #[test]
    fn processor_time_is_told_for_each_message() {
        let servers =
            vec![("a".to_owned(), Duration::from_secs(1)), ("b".to_owned(), Duration::from_secs(2))];
        let used = Used { servers, own: Duration::from_secs(9) };
        let told =
            |used: &Used| processors(Report::new("send", ""), used, 1_000_000).value("cpu_us_per_message");
        assert_eq!(told(&used), Some(3.0));
        assert_eq!(told(&Used::default()), None);
    }

    #[test]
    fn bytes_are_readable() {
        assert_eq!(
            [100.0, 4_096.0, 20_480.0, 104_857_600.0].map(bytes),
            ["100 B", "4096 B", "20.0 KiB", "100.0 MiB"]
        );
    }
}
