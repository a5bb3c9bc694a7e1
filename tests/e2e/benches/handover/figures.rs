//! The figures of a passage, each with a name for people and one for programs.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::passage::Passage;

/// One figure.
pub(crate) struct Figure {
    /// With the unit last.
    pub(crate) key: String,
    pub(crate) label: String,
    pub(crate) value: f64,
}

/// All of them, in the order in which they are shown.
pub(crate) fn of(passage: &Passage) -> Vec<Figure> {
    [moves, pauses, latencies, cpu, account].iter().flat_map(|figures| figures(passage)).collect()
}

fn moves(passage: &Passage) -> Vec<Figure> {
    let (sessions, times) = (passage.sessions as f64, passage.times);
    let moving = (times.served - times.first).as_secs_f64();
    let mut figures = vec![
        figure("sessions", "sessions moved", sessions),
        figure("first_ms", "until the first is served by its next worker, ms", millis(times.first)),
        figure("served_ms", "until all are served by their next worker, ms", millis(times.served)),
        figure(
            "sessions_per_second",
            "sessions per second, from call to last",
            sessions / times.served.as_secs_f64(),
        ),
        figure("sessions_per_second_moving", "sessions per second, from first to last", sessions / moving),
    ];
    figures.extend(
        passage.empty.map(|empty| figure("empty_ms", "until the worker is empty, ms", millis(empty))),
    );
    figures
}

fn pauses(passage: &Passage) -> Vec<Figure> {
    let pauses = &passage.pauses;
    let mut figures =
        vec![figure("pause_mean_ms", "pause of a session at the gateway: mean, ms", pauses.mean)];
    for (name, part) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        let label = format!("pause of a session at the gateway: {name} at most, ms");
        figures.push(figure(&format!("pause_{name}_ms"), &label, pauses.at(part)));
    }
    for (when, gaps) in ["before", "during"].into_iter().zip(&passage.gaps) {
        figures.extend(spread(
            &format!("gap_{when}"),
            &format!("longest gap of a busy client, {when}"),
            gaps,
        ));
    }
    figures
}

fn latencies(passage: &Passage) -> Vec<Figure> {
    let mut figures = Vec::new();
    let classes = [("bystanders", &passage.latencies.bystanders), ("movers", &passage.latencies.movers)];
    for (class, windows) in classes {
        for (when, latencies) in ["before", "during"].into_iter().zip(windows) {
            let label = format!("latency of {class}' messages, {when}");
            figures.extend(spread(&format!("latency_{class}_{when}"), &label, latencies));
        }
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let [before, during] = &passage.latencies.bystanders;
        let ratio = during.value_at_quantile(part) as f64 / before.value_at_quantile(part) as f64;
        let label = format!("latency of bystanders' messages, {name}: during / before");
        figures.push(figure(&format!("latency_bystanders_{name}_ratio"), &label, ratio));
    }
    figures.push(figure("sender_lag_max_ms", "sends behind their time at most, ms", millis(passage.lag_max)));
    figures
}

fn cpu(passage: &Passage) -> Vec<Figure> {
    let Some(cpu) = passage.cpu else { return Vec::new() };
    let named = ["gateway", "workers"].into_iter().zip(cpu);
    let figures = named.map(|(who, time)| {
        let each = time.as_secs_f64() * 1e6 / passage.sessions as f64;
        figure(&format!("cpu_{who}_us"), &format!("processor time of {who} for a session, µs"), each)
    });
    figures.collect()
}

fn account(passage: &Passage) -> Vec<Figure> {
    let account = &passage.account;
    let counts = [
        ("messages", "messages sent", account.sent),
        ("lost", "messages lost", account.lost),
        ("repeated", "messages that came twice", account.repeated),
        ("late", "messages out of order", account.late),
        ("refused", "messages refused", account.refused),
        ("doubtful", "messages of unknown fate", account.doubtful),
        ("short", "receipts without the session", account.short),
        ("disconnects", "disconnects", account.disconnects),
    ];
    counts.map(|(key, label, count)| figure(key, label, count as f64)).into()
}

/// Percentiles in milliseconds.
fn spread(key: &str, label: &str, values: &Histogram<u64>) -> Vec<Figure> {
    let parts = [("p50", 0.5), ("p99", 0.99), ("max", 1.0)];
    let figures = parts.map(|(name, part)| {
        let value = values.value_at_quantile(part) as f64 / 1e3;
        figure(&format!("{key}_{name}_ms"), &format!("{label}: {name}, ms"), value)
    });
    figures.into()
}

fn figure(key: &str, label: &str, value: f64) -> Figure {
    Figure { key: key.to_owned(), label: label.to_owned(), value }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
