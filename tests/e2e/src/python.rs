//! Python scripts, run to their end.

use std::path::Path;
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::{PATIENCE, required};

/// Runs a script; `None` if Python was left out.
pub async fn run(script: &Path, arguments: &[String]) -> Option<Output> {
    let mut command = Command::new(required::python()?);
    command.arg(script).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(2 * PATIENCE, command.output()).await;
    Some(ended.expect("the script ends in time").expect("python runs"))
}
