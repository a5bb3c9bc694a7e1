//! What `load connect` tells.

use super::Outcome;
use crate::machine::Watched;
use crate::report::{Cell, Column, Figure, Report, Table};
use crate::shown::{Spread, bytes, causes, count, over_time, percentiles_over_time, spreads};

/// A value at a moment.
type Of<'a> = &'a dyn Fn(&Watched) -> u64;

impl Outcome {
    /// The report.
    pub(crate) fn report(&self) -> Report {
        let seconds = self.ramp.as_secs_f64();
        let rate = self.opened as f64 / seconds;
        let report = Report::new("connect", format!("{} clients connect", self.clients))
            .fact("clients", self.clients.to_string())
            .fact("ramp", format!("{seconds:.2} s"))
            .fact("source addresses", sources(self.source_addresses))
            .figure(count("opened", self.opened, "sockets that were opened"))
            .figure(count("failed", self.failed(), "handshakes that failed"))
            .figure(count("dropped", self.dropped(), "sockets that ended while they should have been held"))
            .figure(Figure::new("opened_per_second", rate, "/s", "sockets opened in a second"));
        let meaning = "from when a handshake was due until its socket was open";
        let report = spreads(report, &[Spread { name: "handshake", meaning, recorded: &self.handshakes }]);
        let report = causes(report, "failures", "Handshakes that failed", &self.failures);
        let report = causes(report, "ends", "Sockets that ended", &self.ends);
        self.memory(report)
            .plot(over_time("Open sockets", "sockets", &[("open", &self.curves.open)]))
            .plot(over_time("Handshakes in a second", "handshakes", &[("opened", &self.curves.rate)]))
            .plot(percentiles_over_time("Handshakes over time", &self.curves.handshakes))
    }

    fn memory(&self, report: Report) -> Report {
        let columns = [
            Column::text("where", "where"),
            Column::number("bytes", "bytes"),
            Column::text("shown", "for each"),
        ];
        let mut table = Table::new("memory", "Memory for each connection", columns);
        let each = |of: Of<'_>| self.memory.as_ref().and_then(|memory| memory.each(of));
        let mut row = |name: &str, of: Of<'_>| {
            let each = each(of);
            table.push([name.into(), Cell::maybe(each, 0), each.map_or_else(String::new, bytes).into()]);
            each
        };
        let mut resident = None;
        for (place, name) in self.names.iter().enumerate() {
            let each = row(&format!("{name}, resident"), &|watched| watched.servers[place].resident);
            resident = each.map(|each| each + resident.unwrap_or(0.0));
        }
        let slab = row("kernel, objects such as sockets, both ends", &|watched| watched.kernel.slab);
        row("kernel, content of TCP's queues", &|watched| watched.kernel.queues);
        row("load generator, resident", &|watched| watched.own.resident);
        let sockets = each(&|watched| watched.kernel.sockets);
        let figure = |name, value: Option<f64>, unit, meaning| {
            Figure::new(name, value.unwrap_or(f64::NAN), unit, meaning)
        };
        report
            .table(table)
            .figure(figure("resident_bytes", resident, "B", "resident memory of the watched processes for each connection"))
            .figure(figure("kernel_bytes", slab, "B", "kernel memory for each connection, both ends"))
            .figure(figure("kernel_sockets", sockets, "", "TCP sockets for each connection, both ends"))
            .note(
                "Memory for each connection is what came with those behind the first fifth (500 at the most), which bring threads and \
                 pools along. The kernel's is that of the whole machine, and also changes by what others do.",
            )
    }
}

fn sources(count: usize) -> String {
    if count == 0 { "as the system chooses".to_owned() } else { count.to_string() }
}
