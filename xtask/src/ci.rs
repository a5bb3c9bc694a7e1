//! Everything that must hold before a change is taken.

use anyhow::Result;

use crate::options::TestOptions;
use crate::{step, test};

/// Formatting, lints, documentation, tests.
pub(crate) fn run() -> Result<()> {
    step::run("formatting", &mut step::cargo(&["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    step::run("lints", &mut step::cargo(&clippy))?;
    let doc = ["doc", "--workspace", "--no-deps", "--locked"];
    step::run("documentation", step::cargo(&doc).env("RUSTDOCFLAGS", "-D warnings"))?;
    test::run(&TestOptions::default())
}
