//! The binary under test.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where it is: as `RINGWAY_BIN` says, or else newly built.
pub(crate) fn path() -> PathBuf {
    let given = std::env::var_os("RINGWAY_BIN").filter(|path| !path.is_empty());
    given.map_or_else(build, PathBuf::from)
}

fn build() -> PathBuf {
    eprintln!("building the binary (RINGWAY_BIN is not set)");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--release", "--locked", "-p", "ringway", "--message-format", "json"];
    let output = Command::new(cargo).args(arguments).stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(output.status.success(), "the binary cannot be built");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables = built.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    executables.find(|path| path.ends_with("ringway")).expect("cargo tells where the binary is")
}
