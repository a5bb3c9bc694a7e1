//! Node.js with npm, for the client library in `clients/js` and the tests of the pages in `tests/browser`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

/// The first version whose WebSocket the tests can use.
const MAJOR_MIN: u32 = 20;

/// The npm that runs the library's scripts, whose Node.js is new enough.
pub(crate) fn provide() -> Result<PathBuf> {
    let named = std::env::var_os("RINGWAY_NPM").filter(|npm| !npm.is_empty());
    let npm = PathBuf::from(named.unwrap_or_else(|| "npm".into()));
    let major = major(&npm);
    ensure!(
        major.is_some_and(|major| major >= MAJOR_MIN),
        "Node.js {MAJOR_MIN} or later with npm was not found ({npm:?} says {major:?}): install it, or set RINGWAY_NPM to its npm"
    );
    Ok(npm)
}

/// The major version of the Node.js that npm itself runs on.
fn major(npm: &PathBuf) -> Option<u32> {
    let output = Command::new(npm).args(["version", "--json"]).output().ok()?;
    let versions = String::from_utf8(output.stdout).ok()?;
    let version = versions.split("\"node\":").nth(1)?.split('"').nth(1)?;
    version.split('.').next()?.parse().ok()
}
