//! Processes that we started, with all their descendants: what they use, and how they end.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ringway_e2e::procfs;
use rustix::process::{Pid, Signal, kill_process};

/// A program that we started. Dropped, it is killed with its descendants, each by its id.
pub(crate) struct Running {
    name: String,
    child: Child,
    log: std::path::PathBuf,
}

/// Processes by the ids of those at their heads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Family(pub(crate) Vec<u32>);

impl Running {
    /// Starts a program; what it says goes into a file of this directory.
    pub(crate) fn start(name: &str, command: &mut Command, directory: &Path) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let file = fs::File::create(&log).with_context(|| log.display().to_string())?;
        let errors = file.try_clone().context("a file can be opened twice")?;
        let command = command.stdin(Stdio::null()).stdout(file).stderr(errors);
        let child = command.spawn().with_context(|| format!("{name}: {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Holds that it has not ended.
    pub(crate) fn assert_runs(&mut self) -> Result<()> {
        let ended = self.child.try_wait().context("a child can be asked")?;
        ensure!(ended.is_none(), "{} ended: {}", self.name, self.last_words());
        Ok(())
    }

    /// The end of what it said.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for id in Family(vec![self.id()]).members() {
            let id = i32::try_from(id).ok().and_then(Pid::from_raw);
            // One that has ended meanwhile is as good as killed.
            let _ = id.map(|id| kill_process(id, Signal::KILL));
        }
        // Whatever its end was, it is over.
        let _ = self.child.wait();
    }
}

impl Family {
    /// The heads and all their descendants that run now.
    pub(crate) fn members(&self) -> Vec<u32> {
        let children = children();
        let (mut members, mut next) = (self.0.clone(), 0);
        while let Some(id) = members.get(next) {
            members.extend(children.get(id).into_iter().flatten());
            next += 1;
        }
        members
    }

    /// The processor time that all of them have used, of the threads that there are: nobody's threads end while something is
    /// measured.
    pub(crate) fn cpu(&self) -> Duration {
        self.members().into_iter().map(cpu).sum()
    }

    /// How often their threads have given up a processor, by themselves or not.
    pub(crate) fn switches(&self) -> u64 {
        self.members().into_iter().flat_map(tasks).map(|task| switches(&task)).sum()
    }

    /// Resident memory in bytes. Memory that processes share counts once.
    pub(crate) fn resident(&self) -> u64 {
        self.members().into_iter().map(resident).sum()
    }

    /// How many files they have open.
    pub(crate) fn open_files(&self) -> usize {
        self.members().into_iter().map(procfs::open_files).sum()
    }
}

/// By the scheduler, in nanoseconds; where the kernel does not tell, by `/proc/PID/stat`, in steps of 10 ms.
pub(crate) fn cpu(id: u32) -> Duration {
    let of_task = |task: PathBuf| {
        let text = fs::read_to_string(task.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    match tasks(id).filter_map(of_task).sum::<u64>() {
        0 => procfs::cpu_time(id),
        nanoseconds => Duration::from_nanos(nanoseconds),
    }
}

/// The directories of a process's threads.
pub(crate) fn tasks(id: u32) -> impl Iterator<Item = PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten();
    tasks.filter_map(Result::ok).map(|task| task.path())
}

fn switches(task: &Path) -> u64 {
    let text = fs::read_to_string(task.join("status")).unwrap_or_default();
    let counts = text.lines().filter_map(|line| line.split_once("ctxt_switches:"));
    counts.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
}

/// A process's part of what is resident: its own, and its share of what it shares.
fn resident(id: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let share = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = share.and_then(|share| share.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map_or_else(|| procfs::resident_bytes(id), |kilobytes| kilobytes * 1024)
}

/// All processes by their parents.
fn children() -> HashMap<u32, Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process that has just ended has no parent any more.
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
        if let Some(parent) = fields.split_whitespace().nth(1).and_then(|parent| parent.parse().ok()) {
            children.entry(parent).or_default().push(id);
        }
    }
    children
}
