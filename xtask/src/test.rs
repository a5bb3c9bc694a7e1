//! The tests: those of every crate, those that run the released binary, and those of the client library and of the pages.
//!
//! The last lines of the output are the test runner's own.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::options::TestOptions;
use crate::provision::{self, Tool};
use crate::{client, pages, step};

/// Provides what is missing, builds the binary, runs all tests.
pub(crate) fn run(options: &TestOptions) -> Result<()> {
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    ensure!(!in_ci || options.without.is_empty(), "CI=true: nothing may be left out, --without is refused");
    let wanted = Tool::ALL.into_iter().filter(|tool| !options.without.contains(tool));
    let found = provision::provide(&wanted.collect::<Vec<_>>())?;
    step::run(
        "release binary",
        &mut step::cargo(&["build", "--release", "--package", "ringway", "--locked"]),
    )?;

    let path_of = |wanted: Tool| {
        let tool = found.iter().find(|(tool, _)| *tool == wanted && !options.chooses_packages());
        tool.map(|(_, path)| path)
    };
    let (npm, browser) = (path_of(Tool::Node), path_of(Tool::Browser));
    let client_tested = npm.map_or(Ok(()), |npm| client::test(npm, &binary()));
    let pages_tested = npm.zip(browser).map_or(Ok(()), |(npm, browser)| pages::test(npm, browser, &binary()));

    let mut tests = step::cargo(&["test", "--no-fail-fast", "--locked"]);
    if !options.chooses_packages() {
        tests.arg("--workspace");
    }
    tests.args(&options.cargo_arguments).env("RINGWAY_BIN", binary());
    for tool in Tool::ALL {
        match found.iter().find(|(found, _)| *found == tool) {
            Some((_, path)) => tests.env(tool.variable(), path),
            None => tests.env_remove(tool.variable()),
        };
    }
    tests.env("RINGWAY_TESTS_WITHOUT", names(&options.without));
    let tested = step::run("tests", &mut tests);
    if !options.without.is_empty() {
        eprintln!("\nxtask: NOT EVERYTHING WAS TESTED: left out on request: {}", names(&options.without));
    }
    client_tested.and(pages_tested).and(tested)
}

/// The release binary.
pub(crate) fn binary() -> PathBuf {
    step::target_dir().join("release").join(format!("ringway{}", std::env::consts::EXE_SUFFIX))
}

fn names(tools: &[Tool]) -> String {
    tools.iter().map(|tool| tool.name()).collect::<Vec<_>>().join(",")
}
