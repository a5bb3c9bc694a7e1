//! Installing Debian packages.

use std::io::IsTerminal as _;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::step;

/// Installs packages, or says what to install.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if !step::succeeds(Command::new("apt-get").arg("--version")) {
        bail!(
            "the tests need what Debian has in the packages {}; this machine has no apt-get: install their \
             counterparts (or leave their tests out: cargo xtask test --without browser,python)",
            packages.join(" ")
        );
    }
    step::run("package lists", apt_get()?.args(["update", "--quiet"]))?;
    let title = format!("packages {}", packages.join(" "));
    step::run(
        &title,
        apt_get()?.args(["install", "--quiet", "--yes", "--no-install-recommends"]).args(packages),
    )
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
