//! Running other programs: each is shown before it runs, and has no standard input.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map_or_else(|| xtask.clone(), PathBuf::from)
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    let configured = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"].into_iter().find_map(std::env::var_os);
    root().join(configured.map_or_else(|| PathBuf::from("target"), PathBuf::from))
}

/// The cargo that runs this.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments);
    command
}

/// Runs a step to its end, in the workspace's root, its output going where ours goes.
pub(crate) fn run(title: &str, command: &mut Command) -> Result<()> {
    run_in(&root(), title, command)
}

/// Runs a step to its end in a directory, its output going where ours goes.
pub(crate) fn run_in(directory: &Path, title: &str, command: &mut Command) -> Result<()> {
    println!("\n==> {title}");
    let status = command.current_dir(directory).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("{title}: {command:?} cannot be run"))?;
    ensure!(status.success(), "{title}: failed ({status})");
    Ok(())
}

/// Whether a command runs and succeeds, its output not being shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
