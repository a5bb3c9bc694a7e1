//! The processes that a test watches: those that were named, or those that listen at the ports that it uses.

use std::io;
use std::time::Duration;

use super::kernel::Kernel;
use super::listening::listening_at;
use super::process::{Process, Reading};

/// The processes.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    processes: Vec<Process>,
}

/// How everything watched is at a moment: the processes in their order, then this one.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) servers: Vec<Reading>,
    pub(crate) own: Reading,
    pub(crate) kernel: Kernel,
}

impl Watch {
    /// Those that are named; or, if none is, those that listen at these ports of this machine.
    ///
    /// # Errors
    /// When a named one is not there.
    pub(crate) fn new(named: &[Process], ports: &[u16]) -> io::Result<Self> {
        let mut processes = named.to_vec();
        if processes.is_empty() {
            for found in ports.iter().filter_map(|port| listening_at(*port)) {
                if !processes.iter().any(|process| process.id == found.id) {
                    processes.push(found);
                }
            }
        }
        for process in &processes {
            process.read().map_err(|error| {
                let Process { name, id } = process;
                io::Error::new(error.kind(), format!("process {id} ({name}): {error}"))
            })?;
        }
        Ok(Self { processes })
    }

    /// What they are called.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.processes.iter().map(|process| process.name.as_str())
    }

    /// The processor time that each has used between two moments.
    pub(crate) fn cpu_between(&self, before: &Watched, after: &Watched) -> Vec<(String, Duration)> {
        let used =
            after.servers.iter().zip(&before.servers).map(|(now, then)| now.cpu.saturating_sub(then.cpu));
        self.names().map(ToOwned::to_owned).zip(used).collect()
    }

    /// How they are now. One that has ended in the meantime has nothing.
    pub(crate) fn read(&self) -> Watched {
        let read = |process: &Process| process.read().unwrap_or_default();
        Watched {
            servers: self.processes.iter().map(read).collect(),
            own: read(&Process::own()),
            kernel: Kernel::read(),
        }
    }
}

impl Watched {
    /// The processor time that this process has used since then.
    pub(crate) fn own_cpu_since(&self, before: &Self) -> Duration {
        self.own.cpu.saturating_sub(before.own.cpu)
    }
}
