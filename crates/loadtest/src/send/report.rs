//! What `load send` tells.

use super::Outcome;
use crate::report::{Figure, Report};
use crate::shown::{Spread, account, causes, count, over_time, percentiles_over_time, processors, spreads};

impl Outcome {
    /// The report.
    pub(crate) fn report(&self) -> Report {
        let (sending, arriving) = (self.sending.as_secs_f64(), self.arriving.as_secs_f64());
        let (sent, arrived) = (self.measured as f64, self.arrived as f64);
        let mut report = Report::new("send", "Messages on their way");
        for (name, value) in &self.facts {
            report = report.fact(*name, value);
        }
        let report = report
            .figure(count("sent", self.measured, "messages that were measured"))
            .figure(Figure::new("sent_per_second", sent / sending, "/s", "messages sent in a second"))
            .figure(count(
                "unsent",
                self.unsent,
                "messages that were due and not sent, because too many were unanswered",
            ))
            .figure(count("arrived", self.arrived, "arrivals, at all clients"))
            .figure(Figure::new("arrived_per_second", arrived / arriving, "/s", "arrivals in a second"));
        let spread = |name, meaning, recorded| Spread { name, meaning, recorded };
        let report = spreads(
            report,
            &[
                spread("latency", "from when a message was due until its client had it", &self.latency),
                spread(
                    "receipt",
                    "from when a message was due until its receipt was here",
                    &self.receipt_latency,
                ),
                spread("lag", "from when a message was due until it was given to the library", &self.lag),
            ],
        );
        let report = account(report, &self.flaws, self.strange, &self.told);
        let dropped = self.ends.values().sum();
        let report = report.figure(count("dropped", dropped, "clients' sockets that ended"));
        let report = causes(report, "ends", "Sockets that ended", &self.ends);
        let curves = &self.curves;
        processors(report, &self.used, self.measured)
            .plot(over_time("Messages in a second", "messages", &[("sent", &curves.sent), ("arrived", &curves.arrived)]))
            .plot(percentiles_over_time("Latency over time", &curves.latency))
            .note(
                "Latency counts from when a message was due, not from when it could be sent: what waits behind a slow one is charged for \
                 it. \"lag\" is how much of it was over before the library had the message.",
            )
    }
}
