//! Which processor runs what and when, where that must not change from one measurement to the next: the system on one, whoever loads
//! it on another ([`Apart`]); or clients that interrupt no server ([`Patient`]). Otherwise the scheduler puts few processes elsewhere than
//! many, and what a wake-up costs depends on that.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
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

/// Keeps a thread from taking a processor away from others when it is woken. Dropped, it may again.
///
/// Where what is measured shares a processor with whoever reads the outcome, each write may be followed by two switches, or none may be, for
/// seconds: as the scheduler has placed them.
pub(crate) struct Patient(Pid);

impl Patient {
    pub(crate) fn keep(thread: Pid) -> Result<Self> {
        set_policy(thread, "--batch")?;
        Ok(Self(thread))
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        if let Err(error) = set_policy(self.0, "--other") {
            eprintln!("ringway-peers: {error:#}");
        }
    }
}

/// By `chrt` of util-linux.
fn set_policy(thread: Pid, policy: &str) -> Result<()> {
    let id = thread.as_raw_nonzero().to_string();
    let status =
        Command::new("chrt").args([policy, "--pid", "0", &id]).status().context("chrt (util-linux)")?;
    ensure!(status.success(), "chrt {policy}: {status}");
    Ok(())
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
