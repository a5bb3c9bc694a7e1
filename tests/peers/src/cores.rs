//! Which processor runs what, where that must not change from one measurement to the next: the system on one, whoever loads it on
//! another. Otherwise the scheduler puts few processes elsewhere than many, and what a wake-up costs depends on that.

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

use crate::procs::{self, Family};

/// Keeps this thread, and what it starts, away from the system. Dropped, it may run anywhere again.
pub(crate) struct Apart {
    before: CpuSet,
}

impl Apart {
    /// Puts the system's threads on the first processor, and this thread on the second. On a machine with only one nothing is done.
    pub(crate) fn keep(system: &Family) -> Result<Self> {
        let before = sched_getaffinity(None).context("this thread's processors")?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|cpu| before.is_set(*cpu)).map(only);
        if let (Some(first), Some(second)) = (usable.next(), usable.next()) {
            for thread in system.members().into_iter().flat_map(threads) {
                sched_setaffinity(Some(thread), &first).context("a thread of the system")?;
            }
            sched_setaffinity(None, &second).context("this thread")?;
        }
        Ok(Self { before })
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        sched_setaffinity(None, &self.before).expect("what was allowed before is allowed");
    }
}

fn only(cpu: usize) -> CpuSet {
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    cpus
}

fn threads(id: u32) -> impl Iterator<Item = Pid> {
    let ids = procs::tasks(id).filter_map(|task| task.file_name()?.to_str()?.parse().ok());
    ids.filter_map(Pid::from_raw)
}
