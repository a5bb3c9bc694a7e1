//! The system calls of a process, counted by the program `strace` (Linux).

use std::collections::BTreeMap;
use std::fmt;

use rustix::process::Signal;
use tempfile::NamedTempFile;

use crate::{PATIENCE, Process, required};

/// Counts the calls of all threads of a process from [`attach`](Self::attach) to [`finish`](Self::finish).
pub struct Strace {
    process: Process,
    table: NamedTempFile,
}

/// How often each system call was made.
#[derive(Debug)]
pub struct Calls(BTreeMap<String, u64>);

impl Strace {
    /// Begins to count, when every thread is watched; nothing if it was left out by name.
    pub async fn attach(traced: &Process) -> Option<Self> {
        let program = required::strace()?;
        let table = NamedTempFile::new().expect("a temporary file");
        let file = table.path().display().to_string();
        let id = traced.id().to_string();
        let arguments = ["-f", "-c", "-U", "calls,name", "-o", &file, "-p", &id].map(str::to_owned);
        let mut process = Process::start(&format!("strace of {}", traced.name()), program, &arguments);
        // It says so when it has taken hold of each of them.
        process.error_line("that it is attached", |line| line.contains("attached")).await;
        Some(Self { process, table })
    }

    /// Lets the process go on alone, and tells what was counted.
    pub async fn finish(mut self) -> Calls {
        self.process.signal(Signal::INT);
        self.process.exit(PATIENCE).await;
        let table = std::fs::read_to_string(self.table.path()).expect("strace wrote a table");
        Calls::read(&table).unwrap_or_else(|| panic!("not a table of calls: {table}"))
    }
}

impl Calls {
    /// Calls of all kinds.
    pub fn all(&self) -> u64 {
        self.0.values().sum()
    }

    /// Calls of these names.
    pub fn of(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.0.get(*name)).sum()
    }

    /// Reads lines such as `  1204 epoll_wait`, between two lines of dashes; the last line is their sum.
    fn read(table: &str) -> Option<Self> {
        let call = |line: &str| {
            let (calls, name) = line.trim().split_once(' ')?;
            Some((name.trim().to_owned(), calls.parse::<u64>().ok()?))
        };
        let mut lines = table.lines().skip_while(|line| !line.starts_with('-')).skip(1);
        let counted = lines.by_ref().take_while(|line| !line.starts_with('-')).map(call);
        let calls = Self(counted.collect::<Option<_>>()?);
        let (name, total) = call(lines.next()?)?;
        (name == "total" && total == calls.all()).then_some(calls)
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut calls: Vec<_> = self.0.iter().collect();
        calls.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(**count));
        let calls: Vec<_> = calls.iter().map(|(name, count)| format!("{count} {name}")).collect();
        write!(f, "{} calls: {}", self.all(), calls.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read() {
        let table = "\
    calls syscall
--------- ----------------
     1204 epoll_wait
       17 futex
--------- ----------------
     1221 total
";
        let calls = Calls::read(table).expect("a table");
        assert_eq!((calls.all(), calls.of(&["futex", "read"])), (1221, 17));
        for broken in
            ["", "----\nmany futex\n----\n17 total\n", "----\n17 futex\n", "----\n17 futex\n----\n18 total\n"]
        {
            assert!(Calls::read(broken).is_none(), "{broken}");
        }
    }
}
