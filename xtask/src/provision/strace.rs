//! The program `strace`, which counts system calls, and the right to attach it to processes of ours.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::provision::Tool;
use crate::step;

/// The Debian packages to install where there is no `strace`.
pub(crate) const PACKAGES: &[&str] = &["strace"];

/// Whether there is one.
pub(crate) fn has_program() -> bool {
    step::succeeds(Command::new(program()).arg("-V"))
}

/// The `strace` that RINGWAY_STRACE names, or the one on the PATH; it is attached to a process once, to see that it may.
pub(crate) fn provide() -> Result<PathBuf> {
    let mut traced = Command::new("sleep").arg("2").spawn().context("sleep")?;
    let id = traced.id().to_string();
    // As the tests use it. It ends with the process.
    let options = ["-f", "-c", "-U", "calls,name", "-o", "/dev/null", "-p", &id];
    let attached = step::succeeds(Command::new(program()).args(options));
    traced.wait().context("sleep")?;
    ensure!(
        attached,
        "`strace -p` fails: tests that count system calls need the right to attach it to processes of the same user, as \
         root or with kernel.yama.ptrace_scope = 0 (leave them out: cargo xtask test --without strace)"
    );
    Ok(program())
}

fn program() -> PathBuf {
    super::program(Tool::Strace, "strace")
}
