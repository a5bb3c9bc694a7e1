//! The rounds: in each, every system is started, measured and ended, one after the other.

mod article;
mod delivery;
mod gateways;
mod idle;
mod placement;
mod scaling;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ringway_e2e::procfs;
use tokio::runtime::Runtime;

use crate::figures::{Book, Key};
use crate::options::{Options, Part, Size};
use crate::report::{Facts, Report};
use crate::systems::Kind;

/// What one measurement gives.
pub(crate) type Figures = Vec<(Key, f64)>;

/// How long everything is left alone before something is measured.
const SETTLE: Duration = Duration::from_millis(300);

/// Measures everything that was asked for, and writes the report.
pub(crate) fn all(options: &Options) -> Result<()> {
    let runtime = Runtime::new().context("a runtime")?;
    let (size, began, busy) = (options.size(), Instant::now(), procfs::cpu_time_of_all());
    let mut bench = Bench { options, size, runtime, book: Book::default() };
    for round in 1..=size.rounds {
        eprintln!("round {round} of {} (after {:.0?})", size.rounds, began.elapsed());
        bench.round(round);
    }
    let facts = Facts::gather(began, busy);
    let report = Report { options, size, facts, book: &bench.book };
    report.write()
}

/// Everything that a round needs.
struct Bench<'a> {
    options: &'a Options,
    size: Size,
    runtime: Runtime,
    book: Book,
}

impl Bench<'_> {
    fn round(&mut self, round: u32) {
        for part in [Part::Gateways, Part::Delivery, Part::Scaling, Part::Article, Part::Ring] {
            if !self.options.wants(part) {
                continue;
            }
            match part {
                Part::Gateways => self.each(part, round, &gateways::KINDS, gateways::measure),
                Part::Delivery => self.each(part, round, &delivery::KINDS, delivery::measure),
                Part::Scaling => self.each(part, round, &scaling::KINDS, scaling::measure),
                Part::Article => self.each(part, round, &article::KINDS, article::measure),
                Part::Ring => self.book.note(part, "slots", round, &placement::measure()),
            }
        }
    }

    /// One after the other; a system that fails does not keep the others from being measured.
    fn each(
        &mut self,
        part: Part,
        round: u32,
        kinds: &[Kind],
        measure: fn(Kind, &Runtime, &Size) -> Result<Figures>,
    ) {
        for kind in kinds {
            let name = row(*kind, part);
            if self.book.is_hopeless(part, &name) || !self.options.wants_system(&name) {
                continue;
            }
            let began = Instant::now();
            match measure(*kind, &self.runtime, &self.size) {
                Ok(figures) => {
                    let told: Vec<_> =
                        figures.iter().map(|(key, value)| format!("{key} {value:.2}")).collect();
                    eprintln!("  {name}: {} ({:.1?})", told.join(", "), began.elapsed());
                    self.book.note(part, &name, round, &figures);
                }
                Err(error) => self.book.miss(part, &name, format!("{error:#}")),
            }
        }
    }
}

/// What the table calls it: with the number of workers, where that is what changes.
fn row(kind: Kind, part: Part) -> String {
    match kind {
        Kind::Ringway { workers } | Kind::RingwayUp { workers } | Kind::Broadcast { workers }
            if part == Part::Scaling =>
        {
            format!("{}, {workers} workers", kind.name())
        }
        _ => kind.name().to_owned(),
    }
}
