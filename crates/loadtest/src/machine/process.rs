//! What Linux says about a process: `/proc/PID`.

use std::fs;
use std::io;
use std::str::FromStr;
use std::time::Duration;

/// A process that is watched while a test runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What the report calls it.
    pub name: String,
    /// Its number.
    pub id: u32,
}

/// How a process is at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The processor time that it has used since it began, in user space and in the kernel.
    pub(crate) cpu: Duration,
    /// Resident memory, in bytes.
    pub(crate) resident: u64,
    /// Its share of memory that it has together with others, and all of its own, in bytes; 0 where the system does not tell.
    pub(crate) proportional: u64,
    /// Open file descriptors; 0 where the system does not tell.
    pub(crate) files: u64,
    /// Threads.
    pub(crate) threads: u64,
}

/// Why a text names no process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not NAME=PID, such as worker=1234")]
pub struct ProcessError(String);

impl Process {
    /// This process.
    pub(crate) fn own() -> Self {
        Self { name: "load generator".to_owned(), id: std::process::id() }
    }

    /// By its number, called as it calls itself.
    pub(crate) fn named_by_itself(id: u32) -> Self {
        let name = fs::read_to_string(format!("/proc/{id}/comm"));
        Self { name: name.map_or_else(|_| format!("process {id}"), |name| name.trim().to_owned()), id }
    }

    /// How it is now.
    ///
    /// # Errors
    /// When it is not there, or the system has no `/proc`.
    pub(crate) fn read(&self) -> io::Result<Reading> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        // These two are for its owner only.
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id)).unwrap_or_default();
        let files = fs::read_dir(format!("/proc/{}/fd", self.id)).map_or(0, Iterator::count);
        let unreadable = || io::Error::other(format!("/proc/{} is not as expected", self.id));
        Ok(Reading {
            cpu: ticks(&stat).map(as_time).ok_or_else(unreadable)?,
            resident: field(&status, "VmRSS:").ok_or_else(unreadable)? * 1024,
            proportional: field(&rollup, "Pss:").unwrap_or_default() * 1024,
            files: files as u64,
            threads: field(&status, "Threads:").ok_or_else(unreadable)?,
        })
    }
}

impl FromStr for Process {
    type Err = ProcessError;

    fn from_str(text: &str) -> Result<Self, ProcessError> {
        let wrong = || ProcessError(text.to_owned());
        let (name, id) = text.split_once('=').ok_or_else(wrong)?;
        let id = id.parse().map_err(|_| wrong())?;
        if name.is_empty() { Err(wrong()) } else { Ok(Self { name: name.to_owned(), id }) }
    }
}

/// The number behind a name in a file of such lines.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// utime and stime: the 14th and 15th field. The second one is the name in parentheses, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().ok()).sum()
}

fn as_time(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_with_its_number() {
        let read = |text: &str| text.parse::<Process>().ok().map(|process| (process.name, process.id));
        assert_eq!(read("w1=77"), Some(("w1".to_owned(), 77)));
        for wrong in ["", "77", "=77", "w1=", "w1=x", "w1=-1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn files_of_the_system_are_read() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 9 9 20 0 4 0 100 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("7 (a"), None);
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t4\n";
        assert_eq!(
            (field(status, "VmRSS:"), field(status, "Threads:"), field(status, "Pss:")),
            (Some(2048), Some(4), None)
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_there() {
        let reading = Process::own().read().unwrap();
        assert!(reading.resident > 100_000 && reading.threads >= 1 && reading.files >= 3, "{reading:?}");
        assert!(Process { name: "x".to_owned(), id: u32::MAX }.read().is_err());
    }
}
