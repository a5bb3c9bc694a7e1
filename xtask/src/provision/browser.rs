//! A browser that speaks the DevTools protocol.

use std::path::PathBuf;
use std::process::Command;

use crate::step;

/// The Debian packages to install where there is none.
pub(crate) const PACKAGES: &[&str] = &["chromium"];

/// What to say when there is none after all.
pub(crate) const MISSING: &str =
    "no browser was found: install Chromium or Chrome, or set RINGWAY_CHROMIUM to one";

const NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser that RINGWAY_CHROMIUM names, or the first one on the PATH that runs.
pub(crate) fn find() -> Option<PathBuf> {
    let named = std::env::var_os("RINGWAY_CHROMIUM").map(PathBuf::from);
    let known = NAMES.iter().map(PathBuf::from);
    named.into_iter().chain(known).find(|browser| step::succeeds(Command::new(browser).arg("--version")))
}
