//! Python, in an environment of its own under `target/python`.
//!
//! The environment is made anew whenever the list of packages is not the one it was made from.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::step;

/// The Debian packages to install where Python cannot make environments.
pub(crate) const PACKAGES: &[&str] = &["python3", "python3-venv"];

const REQUIREMENTS: &str = "tests/e2e/requirements.txt";

/// Whether there is a Python with what it takes to make an environment (Debian has that in a package of its own).
pub(crate) fn can_make_environments() -> bool {
    step::succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"]))
}

/// The environment's interpreter, all packages being there.
pub(crate) fn provide() -> Result<PathBuf> {
    let directory = step::target_dir().join("python");
    let interpreter = directory.join("bin/python");
    let wanted = fs::read_to_string(step::root().join(REQUIREMENTS)).context(REQUIREMENTS)?;
    let stamp = directory.join("requirements.txt");
    let runs = step::succeeds(Command::new(&interpreter).arg("--version"));
    if runs && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(interpreter);
    }
    step::run("Python environment", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
        "-r",
        REQUIREMENTS,
    ];
    step::run("Python packages", Command::new(&interpreter).args(pip))?;
    fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())?;
    Ok(interpreter)
}
