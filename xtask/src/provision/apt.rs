//! Installing Debian packages, or only fetching them.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::provision::Tool;
use crate::step;

/// Installs packages, or says what to install.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    require(packages)?;
    update()?;
    let title = format!("packages {}", packages.join(" "));
    step::run(
        &title,
        apt_get()?.args(["install", "--quiet", "--yes", "--no-install-recommends"]).args(packages),
    )
}

/// Fetches a package into a directory without installing it, and says where it is.
pub(crate) fn download(package: &str, directory: &Path) -> Result<PathBuf> {
    require(&[package])?;
    let mut fetch = Command::new("apt-get");
    fetch.args(["download", "--quiet", package]);
    if !step::succeeds(Command::new("apt-cache").args(["show", package])) {
        update()?;
    }
    step::run_in(directory, &format!("package {package}"), &mut fetch)?;
    let file = packages_in(directory)?.pop();
    file.with_context(|| format!("apt-get left no package in {}", directory.display()))
}

/// Fetches packages, and what they depend on and the machine has not, into a directory without installing them.
pub(crate) fn download_with_dependencies(packages: &[&str], directory: &Path) -> Result<Vec<PathBuf>> {
    require(packages)?;
    if !step::succeeds(Command::new("apt-cache").arg("show").args(packages)) {
        update()?;
    }
    let partial = directory.join("partial");
    std::fs::create_dir_all(&partial).with_context(|| partial.display().to_string())?;
    let mut fetch = Command::new("apt-get");
    fetch.args(["install", "--download-only", "--quiet", "--yes", "--no-install-recommends"]);
    // Nothing of the system's is written, so nothing of it need be locked, and no rights are needed.
    fetch.args(["-o", "Debug::NoLocking=true", "-o"]);
    fetch.arg(format!("Dir::Cache::archives={}", directory.display())).args(packages);
    step::run(&format!("packages {}", packages.join(" ")), &mut fetch)?;
    packages_in(directory)
}

/// Unpacks the file of a package below a directory, without installing it.
pub(crate) fn unpack(file: &Path, root: &Path) -> Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    step::run(&format!("unpacking {name}"), Command::new("dpkg-deb").arg("-x").arg(file).arg(root))
}

fn packages_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let files = files.filter_map(|file| Some(file.ok()?.path()));
    Ok(files.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
}

fn require(packages: &[&str]) -> Result<()> {
    if !step::succeeds(Command::new("apt-get").arg("--version")) {
        bail!(
            "the tests need what Debian has in the packages {}; this machine has no apt-get: install their \
             counterparts (or leave tests out: cargo xtask test --without {})",
            packages.join(" "),
            Tool::names()
        );
    }
    Ok(())
}

fn update() -> Result<()> {
    step::run("package lists", apt_get()?.args(["update", "--quiet"]))
}

/// `apt-get` with the rights that it needs. It asks for a password only where somebody is there to give it.
fn apt_get() -> Result<Command> {
    const QUIET: &str = "DEBIAN_FRONTEND=noninteractive";
    if is_root() {
        let mut command = Command::new("env");
        command.args([QUIET, "apt-get"]);
        return Ok(command);
    }
    if !step::succeeds(Command::new("sudo").arg("--version")) {
        bail!("installing packages needs root or sudo, and there is neither");
    }
    let mut command = Command::new("sudo");
    if !std::io::stderr().is_terminal() {
        command.arg("--non-interactive");
    }
    command.args(["env", QUIET, "apt-get"]);
    Ok(command)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
