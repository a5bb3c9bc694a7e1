//! The report: tables for people, and every round's figures for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ringway_e2e::{procfs, required};
use serde_json::{Value, json};

use crate::figures::{Book, Key};
use crate::goals;
use crate::options::{Options, Part, Size};
use crate::tools::{self, Tool};

/// Everything that is told.
pub(crate) struct Report<'a> {
    pub(crate) options: &'a Options,
    pub(crate) size: Size,
    pub(crate) facts: Facts,
    pub(crate) book: &'a Book,
}

/// Where the figures come from.
pub(crate) struct Facts {
    processor: String,
    cores: usize,
    kernel: String,
    took: Duration,
    /// How many cores worked on average, for whatever.
    cores_busy: f64,
    versions: Vec<String>,
}

type Columns = &'static [(Key, &'static str)];

const IDLE: Columns = &[
    ("resident_bytes", "resident per idle client, B"),
    ("slab_bytes", "kernel slab per idle client (its own end too), B"),
    ("sockets", "sockets per client in the servers"),
    ("failed", "refused, by their receipts"),
    ("lost", "lost"),
];
const GATEWAYS: Columns = &[
    ("handshake_us", "CPU per handshake, µs"),
    ("echo_us", "CPU per echoed message, µs"),
    ("echo_p50_ms", "echo p50, ms"),
    ("echo_p99_ms", "echo p99, ms"),
];
const DELIVERY: Columns = &[
    ("fan_out_us", "fan-out: CPU per delivery, µs"),
    ("fan_out_per_second", "fan-out: deliveries/s"),
    ("unicast_us", "to users, saturated: CPU per message, µs"),
    ("unicast_per_second", "to users, saturated: messages/s"),
    ("paced_us", "to users, at the rate (ringway: unary calls): CPU per message, µs"),
    ("paced_all_us", "the same, ringway's sender included, µs"),
    ("paced_p50_ms", "at the rate: p50, ms"),
    ("paced_p99_ms", "at the rate: p99, ms"),
    ("published_us", "at the rate, through Publish: CPU per message, µs"),
    ("published_all_us", "the same, ringway's sender included, µs"),
    ("published_p50_ms", "through Publish: p50, ms"),
    ("published_p99_ms", "through Publish: p99, ms"),
    ("published_failed", "through Publish: refused or lost"),
    ("handshake_us", "CPU per handshake, µs"),
];
const SCALING: Columns = &[
    ("user_us", "one after the other: CPU per message, beyond what is used idle, µs"),
    ("user_gross_us", "the same, all, µs"),
    ("idle_percent", "idle: CPU, % of a core"),
    ("user_all_us", "all, and ringway's sender, µs"),
    ("user_switches", "switches of its threads per message"),
    ("user_per_second", "messages/s"),
    ("user_p99_ms", "p99, ms"),
    ("streamed_us", "as fast as it goes (`Publish`): CPU per message, µs"),
    ("streamed_switches", "switches of its threads per message, as fast as it goes"),
    ("failed", "refused, by their receipts"),
    ("lost", "lost"),
];
const ARTICLE: Columns = &[
    ("article_errors_percent", "in one second: errors, %"),
    ("article_per_second", "in one second: sends/s"),
    ("article_p99_ms", "in one second: p99, ms"),
    ("sustained_errors_percent", "sustained: errors, %"),
    ("sustained_per_second", "sustained: sends/s"),
    ("sustained_us", "sustained: CPU per send, µs"),
    ("lost", "lost"),
];
const RING: Columns = &[
    ("look_up_ns", "look-up of a 16-byte key, ns"),
    ("build_ms", "128 members built, ms"),
    ("change_ms", "one of 128 added, for the first time, ms"),
    ("next_change_ms", "the same, later, ms"),
];

impl Facts {
    pub(crate) fn gather(began: Instant, busy: Duration) -> Self {
        let took = began.elapsed();
        let busy = procfs::cpu_time_of_all().saturating_sub(busy);
        let known = Tool::ALL.into_iter().filter_map(|tool| tool.version().ok());
        let ours = tools::said(&required::binary(), &["--version"]);
        Self {
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            took,
            cores_busy: busy.as_secs_f64() / took.as_secs_f64(),
            versions: std::iter::once(ours).chain(known).collect(),
        }
    }
}

impl Report<'_> {
    /// Prints the tables, and writes what files were asked for.
    pub(crate) fn write(&self) -> Result<()> {
        let tables = self.tables();
        println!("{tables}");
        if let Some(path) = &self.options.markdown {
            std::fs::write(path, &tables).with_context(|| path.display().to_string())?;
        }
        if let Some(path) = &self.options.json {
            let text = format!("{:#}\n", self.json());
            std::fs::write(path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    fn tables(&self) -> String {
        let mut text = self.head();
        let parts: [(Part, &str, &[Columns]); 5] = [
            (Part::Gateways, "Gateways", &[GATEWAYS, IDLE]),
            (Part::Delivery, "Delivery", &[DELIVERY, IDLE]),
            (Part::Scaling, "A user's message with more workers", &[SCALING]),
            (Part::Article, "Sends to a group with one member", &[ARTICLE]),
            (Part::Ring, "Placement", &[RING]),
        ];
        for (part, title, columns) in parts {
            self.table(&mut text, part, title, &columns.concat());
        }
        self.missing(&mut text);
        self.goals(&mut text);
        text
    }

    fn head(&self) -> String {
        let Facts { processor, cores, kernel, took, cores_busy, versions } = &self.facts;
        let Size { rounds, members, handshakes, users, fan_outs, unicasts, rate, one_by_one, .. } = self.size;
        let warning = if self.options.quick {
            "QUICK: these figures measure nothing, and the verdicts on the goals say nothing.\n\n"
        } else {
            ""
        };
        format!(
            "{warning}{processor}, {cores} cores, Linux {kernel}; {cores_busy:.1} cores worked on average, everything \
             counted; {took:.0?}. {rounds} rounds, in which the systems took turns: median (min to max). Gateways: \
             {handshakes} clients; delivery: {members} clients, {fan_outs} messages to all, {unicasts} to users as fast as \
             they go, then {rate} a second; more workers: {users} clients, {one_by_one} messages one after the other. Payloads of \
             {} bytes.\n\nVersions: {}.\n",
            crate::mark::BYTES,
            versions.join("; ")
        )
    }

    /// A row for each figure and a column for each system: figures are more than systems.
    fn table(&self, text: &mut String, part: Part, title: &str, figures: &[(Key, &str)]) {
        let systems: Vec<_> = self.book.systems(part).collect();
        if systems.is_empty() {
            return;
        }
        *text += &format!(
            "\n### {title}\n\n| | {} |\n| --- |{}\n",
            systems.join(" | "),
            " ---: |".repeat(systems.len())
        );
        for (key, label) in figures {
            let cells = systems.iter().map(|system| {
                self.book.spread(part, system, key).map_or_else(String::new, |spread| spread.to_string())
            });
            *text += &format!("| {label} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
        }
    }

    /// Each reason once, however often it came.
    fn missing(&self, text: &mut String) {
        let told = self
            .book
            .missing()
            .iter()
            .map(|it| format!("- **{}**: {}\n", it.system, it.why.replace('\n', " ")));
        let told: BTreeSet<_> = told.collect();
        if !told.is_empty() {
            *text += "\n### Not measured\n\n";
        }
        text.extend(told);
    }

    fn goals(&self, text: &mut String) {
        *text += "\n### The goals\n\n| what | goal | measured | |\n| --- | --- | ---: | --- |\n";
        for goal in goals::all(self.book) {
            let measured = goal.measured.map_or_else(String::new, |spread| spread.to_string());
            let (what, aim, verdict) = (goal.what, goal.goal, goal.verdict());
            // Writing to a String does not fail.
            let _ = writeln!(text, "| {what} | {aim} | {measured} | {verdict} |");
        }
    }

    fn json(&self) -> Value {
        let figures: Vec<Value> = self
            .book
            .cells()
            .map(|(system, key, values, part)| {
                let values: Vec<_> = values.iter().map(|(round, value)| json!([round, value])).collect();
                json!({ "part": part_name(part), "system": system, "figure": key, "rounds": values })
            })
            .collect();
        let goals = goals::all(self.book).into_iter().map(|goal| {
            let measured =
                goal.measured.map(|it| json!({ "median": it.median, "min": it.min, "max": it.max }));
            json!({ "what": goal.what, "goal": goal.goal, "measured": measured, "verdict": goal.verdict() })
        });
        json!({
            "quick": self.options.quick,
            "processor": self.facts.processor,
            "cores": self.facts.cores,
            "kernel": self.facts.kernel,
            "seconds": self.facts.took.as_secs_f64(),
            "cores_busy": self.facts.cores_busy,
            "versions": self.facts.versions,
            "figures": figures,
            "not_measured": self.book.missing().iter().map(|it| json!([it.system, it.why])).collect::<Vec<_>>(),
            "goals": goals.collect::<Vec<_>>(),
        })
    }
}

fn part_name(part: usize) -> &'static str {
    ["gateways", "delivery", "scaling", "article", "ring"][part]
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    named.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
