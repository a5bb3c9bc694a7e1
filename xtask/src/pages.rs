//! The gateway's pages in a real browser: the tests in `tests/browser`, driven by playwright-core, which brings no browser of its
//! own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::step;

/// Installs what the tests' lock file names, and runs them with this binary and this browser.
pub(crate) fn test(npm: &Path, chromium: &Path, binary: &Path) -> Result<()> {
    let directory = step::root().join("tests/browser");
    let no_browser = ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    step::run_in(&directory, "pages: packages", Command::new(npm).arg("ci").env(no_browser.0, no_browser.1))?;
    step::run_in(
        &directory,
        "pages: tests",
        Command::new(npm).arg("test").env("RINGWAY_BIN", binary).env("RINGWAY_CHROMIUM", absolute(chromium)),
    )
}

/// Where a program is that is named by its bare name: playwright-core does not look on the PATH.
fn absolute(program: &Path) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(program)).find(|at| at.is_file());
    found.unwrap_or_else(|| program.to_owned())
}
