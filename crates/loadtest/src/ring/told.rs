//! The report of the ring test: three tables, a picture, a plot, and every figure by its name.

use super::cluster::Change;
use super::kind::Kind;
use super::spread::{by_chance, multiples};
use super::{Measured, Outcome, picture};
use crate::report::{Cell, Column, Figure, Lines, Report, Scale, Series, Table, shown};

/// With which the times of a build without optimisation are introduced.
const UNOPTIMISED: &str = "This is a build without optimisation: the times say nothing.";

/// The names of all figures, for these strategies.
pub(super) fn names(kinds: &[Kind]) -> Vec<String> {
    let of_kind = |kind: &Kind| {
        let (kind, changes) = (*kind, Change::ALL.map(moved_name));
        let all =
            ["max_mean", "min_mean", "p99_mean", "stddev_percent", "lookup_ns", "build_ms", "change_ms"];
        let own = all.map(str::to_owned).into_iter().chain(changes.into_iter().flatten());
        own.map(move |name| format!("{}_{name}", kind.prefix())).collect::<Vec<_>>()
    };
    kinds.iter().flat_map(of_kind).collect()
}

/// The report.
pub(super) fn report(outcome: &Outcome) -> Report {
    let Outcome { cluster, keys, count, kinds } = outcome;
    let (nodes, chance) = (cluster.nodes().len(), 100.0 * by_chance(*count, cluster));
    let mut report = Report::new("ring", "How evenly keys are spread, and how many move")
        .fact("keys", format!("{} ({keys})", shown(*count as f64)))
        .fact("nodes", format!("{nodes}, of weight {} together", cluster.weight()))
        .fact("by chance alone", format!("a standard deviation of {} %", shown(chance)))
        .plot(picture::picture(outcome))
        .plot(loads(kinds))
        .table(evenness(kinds))
        .table(movement(outcome))
        .table(cost(kinds))
        .table(nodes_table(outcome));
    for measured in kinds {
        report =
            figures(measured, outcome).into_iter().fold(report, |report, it| report.figure(it.in_table()));
    }
    if kinds.iter().any(|measured| measured.kind == Kind::Modulo) {
        report = report.note(
            "modulo is what not to do: nearly every key moves whenever the number of nodes changes, and weights count for nothing.",
        );
    }
    if cfg!(debug_assertions) { report.note(UNOPTIMISED) } else { report }
}

fn moved_name(change: Change) -> [String; 2] {
    [format!("{}_moved_percent", change.name()), format!("{}_moved_ideal", change.name())]
}

fn figures(measured: &Measured, outcome: &Outcome) -> Vec<Figure> {
    let Measured { kind, spread, cost, .. } = measured;
    let name = |name: &str| format!("{}_{name}", kind.prefix());
    let maybe = |of: &str, value: Option<f64>, meaning: &str| match value {
        Some(value) => Figure::new(name(of), value / 1e6, "ms", format!("{kind}: {meaning}")),
        None => Figure::new(name(of), 0.0, "ms", format!("{kind}: there is nothing to build")),
    };
    let mut figures = vec![
        Figure::new(
            name("max_mean"),
            spread.max(),
            "",
            format!("{kind}: the fullest node against its ideal load"),
        ),
        Figure::new(
            name("min_mean"),
            spread.min(),
            "",
            format!("{kind}: the emptiest node against its ideal load"),
        ),
        Figure::new(
            name("p99_mean"),
            spread.percentile(99.0),
            "",
            format!("{kind}: 99 % of the nodes have no more"),
        ),
        Figure::new(
            name("stddev_percent"),
            100.0 * spread.stddev,
            "%",
            format!("{kind}: standard deviation of the loads"),
        ),
        Figure::new(name("lookup_ns"), cost.look_up, "ns", format!("{kind}: a look-up of a 16-byte key")),
        maybe("build_ms", cost.build, "a ring is built"),
        maybe("change_ms", cost.change, "a node is added to a ring"),
    ];
    for (change, moved) in Change::ALL.into_iter().zip(measured.moved) {
        let ([percent, ideal], told) = (moved_name(change), outcome.cluster.told(change));
        let against = moved / outcome.cluster.ideal(change);
        figures.push(Figure::new(
            name(&percent),
            100.0 * moved,
            "%",
            format!("{kind}: keys that move, {told}"),
        ));
        figures.push(Figure::new(
            name(&ideal),
            against,
            "",
            format!("{kind}: the same against the ideal, {told}"),
        ));
    }
    figures
}

fn evenness(kinds: &[Measured]) -> Table {
    let columns = [
        Column::text("strategy", "strategy"),
        Column::number("max_mean", "fullest"),
        Column::number("min_mean", "emptiest"),
        Column::number("stddev_percent", "std. dev. %"),
        Column::number("p5", "p5"),
        Column::number("p50", "p50"),
        Column::number("p95", "p95"),
        Column::number("p99", "p99"),
    ];
    let mut table =
        Table::new("evenness", "Loads of the nodes, as multiples of what each should have", columns);
    for Measured { kind, spread, .. } in kinds {
        let ends = [kind.to_string().into(), Cell::number(spread.max(), 4), Cell::number(spread.min(), 4)];
        let percentiles = [5.0, 50.0, 95.0, 99.0].map(|percent| Cell::number(spread.percentile(percent), 4));
        table.push(ends.into_iter().chain([Cell::number(100.0 * spread.stddev, 3)]).chain(percentiles));
    }
    table
}

fn movement(outcome: &Outcome) -> Table {
    let [add, remove, reweigh] = Change::ALL.map(|change| outcome.cluster.told(change));
    let columns = [
        Column::text("strategy", "strategy"),
        Column::number("add_percent", add),
        Column::number("remove_percent", remove),
        Column::number("reweigh_percent", reweigh),
    ];
    let mut table = Table::new("movement", "Keys that move when the nodes change, in percent", columns);
    for Measured { kind, moved, .. } in &outcome.kinds {
        let cells = moved.map(|moved| Cell::number(100.0 * moved, 3));
        table.push(std::iter::once(kind.to_string().into()).chain(cells));
    }
    let ideal = Change::ALL.map(|change| Cell::number(100.0 * outcome.cluster.ideal(change), 3));
    table.push(std::iter::once("(ideal)".into()).chain(ideal));
    table
}

fn cost(kinds: &[Measured]) -> Table {
    let columns = [
        Column::text("strategy", "strategy"),
        Column::number("lookup_ns", "look-up, ns"),
        Column::number("build_ms", "build, ms"),
        Column::number("change_ms", "one node more, ms"),
    ];
    let mut table = Table::new("cost", "What it costs", columns);
    for Measured { kind, cost, .. } in kinds {
        let millis = |nanos: Option<f64>| Cell::maybe(nanos.map(|nanos| nanos / 1e6), 3);
        table.push([
            kind.to_string().into(),
            Cell::number(cost.look_up, 1),
            millis(cost.build),
            millis(cost.change),
        ]);
    }
    table
}

fn nodes_table(outcome: &Outcome) -> Table {
    let Outcome { cluster, kinds, .. } = outcome;
    let columns = [
        Column::text("strategy", "strategy"),
        Column::text("node", "node"),
        Column::number("weight", "weight"),
        Column::number("keys", "keys"),
        Column::number("multiple", "of its ideal load"),
    ];
    let mut table = Table::new("nodes", "Every node", columns).detail();
    for Measured { kind, loads, .. } in kinds {
        let loads = &loads[..cluster.nodes().len()];
        let rows = cluster.nodes().iter().zip(loads).zip(multiples(loads, cluster));
        for ((node, keys), multiple) in rows {
            table.push([
                kind.to_string().into(),
                node.id.as_str().into(),
                u64::from(node.weight.get()).into(),
                (*keys).into(),
                Cell::number(multiple, 4),
            ]);
        }
    }
    table
}

fn loads(kinds: &[Measured]) -> Lines {
    let line = |Measured { kind, spread, .. }: &Measured| {
        let last = (spread.sorted.len() - 1) as f64;
        let point = |(rank, load): (usize, &f64)| (100.0 * rank as f64 / last, 100.0 * (load - 1.0));
        Series::new(kind.to_string(), spread.sorted.iter().enumerate().map(point).collect::<Vec<_>>())
    };
    Lines {
        title: "How far loads are from the ideal, from the emptiest node to the fullest".into(),
        x_label: "percent of the nodes".into(),
        x_scale: Scale::Linear,
        y_label: "percent above the ideal load".into(),
        y_scale: Scale::Linear,
        series: kinds.iter().map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;
    use crate::ring::{Cluster, Keys, RingConfig, run};

    fn config(nodes: usize, kinds: &[Kind]) -> RingConfig {
        RingConfig {
            cluster: Cluster::numbered(nodes, &[]).unwrap(),
            kinds: kinds.to_vec(),
            keys: Keys::Generated(2_000),
        }
    }

    #[test]
    fn every_figure_has_the_name_that_is_told_before() {
        for (nodes, kinds) in [(2, &[Kind::Slots][..]), (3, &[Kind::Hashring { points: 3 }, Kind::Modulo])] {
            let config = config(nodes, kinds);
            let mut names = super::super::figure_names(&config);
            let report = run(config, &mut Progress::silent()).unwrap();
            let mut found: Vec<_> = report.figures.iter().map(|figure| figure.name.clone()).collect();
            names.sort();
            found.sort();
            assert_eq!(found, names);
            assert!(report.figures.iter().all(|figure| figure.value.is_some()), "{:?}", report.figures);
        }
    }

    #[test]
    fn drawings_are_whole() {
        for nodes in [2, 16, 17, 90, 400] {
            let report = run(config(nodes, &[Kind::Slots, Kind::Modulo]), &mut Progress::silent()).unwrap();
            let svg = report.to_svg().unwrap();
            assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{nodes}");
            for page in [svg.to_owned(), report.to_html(&[])] {
                assert!(!page.contains("NaN") && !page.contains("inf"), "{nodes}");
                assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count(), "{nodes}");
            }
        }
    }
}
