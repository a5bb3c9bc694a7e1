//! Network namespaces: the program `ip`, and the right to make them with it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::provision::Tool;
use crate::step;

/// The Debian packages to install where there is no `ip`.
pub(crate) const PACKAGES: &[&str] = &["iproute2"];

/// Whether there is an `ip`.
pub(crate) fn has_program() -> bool {
    step::succeeds(Command::new(program()).arg("-V"))
}

/// The `ip` that RINGWAY_IP names, or the one on the PATH; a namespace is made and removed to see that it may.
pub(crate) fn provide() -> Result<PathBuf> {
    let name = format!("ringway-probe-{}", std::process::id());
    let netns = |act: &str| step::succeeds(Command::new(program()).args(["netns", act, &name]));
    ensure!(
        netns("add") && netns("delete"),
        "`ip netns add` fails: tests that cut networks need root (leave them out: cargo xtask test --without netns)"
    );
    Ok(program())
}

fn program() -> PathBuf {
    super::program(Tool::Netns, "ip")
}
