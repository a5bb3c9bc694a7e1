//! The client library for browsers and Node.js, in `clients/js`: built and tested by its own scripts.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::step;

/// Installs what its lock file names, and runs its tests with this binary.
pub(crate) fn test(npm: &Path, binary: &Path) -> Result<()> {
    let directory = step::root().join("clients/js");
    step::run_in(&directory, "client library: packages", Command::new(npm).arg("ci"))?;
    step::run_in(
        &directory,
        "client library: tests",
        Command::new(npm).arg("test").env("RINGWAY_BIN", binary),
    )
}
