//! The comparison with other systems: provides them, builds both sides with the profile `release`, and measures.

use anyhow::Result;

use crate::provision::peers;
use crate::{step, test};

/// Provides, builds, measures.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let variables = peers::provide();
    let mut build = step::cargo(&["build", "--release", "--locked", "--package", "ringway-peers"]);
    let given = std::env::var_os("RINGWAY_BIN").filter(|path| !path.is_empty());
    if given.is_none() {
        build.args(["--package", "ringway"]);
    }
    step::run("release binaries", &mut build)?;
    let program = step::target_dir().join("release/ringway-peers");
    let mut bench = std::process::Command::new(program);
    bench.args(arguments).envs(variables);
    bench.env("RINGWAY_BIN", given.unwrap_or_else(|| test::binary().into()));
    step::run("the comparison", &mut bench)
}
