//! Where the figures come from.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ringway_e2e::procfs;
use serde_json::{Value, json};

use crate::site::Site;

/// A moment, by what all processors had done until then.
pub(crate) struct Busy {
    at: Instant,
    all: Duration,
}

/// The machine, and how busy it was meanwhile.
pub(crate) struct Facts {
    processor: String,
    cores: usize,
    kernel: String,
    version: String,
    /// How many cores worked on average: for nodes and benchmark, and for everything else.
    cores_own: f64,
    cores_other: f64,
}

impl Busy {
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), all: procfs::cpu_time_of_all() }
    }
}

impl Facts {
    /// Killed workers' work counts as that of others: it is little.
    pub(crate) fn of(site: &Site, binary: &Path, began: &Busy) -> Self {
        let (time, all) = (began.at.elapsed().as_secs_f64(), procfs::cpu_time_of_all() - began.all);
        let own = procfs::cpu_time(std::process::id()) + site.cpu().into_iter().sum::<Duration>();
        let uname = rustix::system::uname();
        Self {
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: uname.release().to_string_lossy().into_owned(),
            version: version(binary),
            cores_own: own.as_secs_f64() / time,
            cores_other: all.saturating_sub(own).as_secs_f64() / time,
        }
    }

    pub(crate) fn line(&self) -> String {
        let Self { processor, cores, kernel, version, cores_own, cores_other } = self;
        format!(
            "{version}; {processor}, {cores} cores, Linux {kernel}; on average {cores_own:.1} cores worked for nodes and \
             benchmark, and {cores_other:.1} for others"
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "version": self.version,
            "processor": self.processor,
            "cores": self.cores,
            "kernel": self.kernel,
            "cores_own": self.cores_own,
            "cores_other": self.cores_other,
        })
    }
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    named.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn version(binary: &Path) -> String {
    let output = Command::new(binary).arg("--version").output().expect("the binary runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
