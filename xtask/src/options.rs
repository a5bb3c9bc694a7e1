//! The command line.

use anyhow::{Result, bail, ensure};

use crate::provision::Tool;

pub(crate) const USAGE: &str = "\
cargo xtask test [--without browser,etcd,nacos,netns,node,python,rabbitmq,redis,strace] [-- <arguments of cargo test>]
    Installs what the tests need where it is missing (Debian: apt-get as root or with sudo), builds the release
    binary, and runs all tests. The first run compiles a Nacos server into the user's cache, which takes about 11
    minutes. --without leaves out the tests that need a tool; never allowed when CI=true.
cargo xtask ci
    Checks formatting, lints and documentation, then does what `cargo xtask test` does.
cargo xtask bench [--quick] [<further arguments; --help shows them>]
    Provides other systems (Debian's packages, unpacked under target/), builds the release binary, and measures all
    side by side (docs/benchmarks.md).";

/// What was asked for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Chore {
    Help,
    Test(TestOptions),
    Ci,
    /// With the arguments of the comparison.
    Bench(Vec<String>),
}

/// How the tests are run.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct TestOptions {
    /// Tools whose tests are left out.
    pub(crate) without: Vec<Tool>,
    /// Further arguments of `cargo test`.
    pub(crate) cargo_arguments: Vec<String>,
}

impl Chore {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        match arguments.next().as_deref() {
            Some("test") => Ok(Self::Test(TestOptions::parse(arguments)?)),
            Some("ci") => {
                ensure!(arguments.next().is_none(), "`ci` takes no arguments");
                Ok(Self::Ci)
            }
            Some("bench") => Ok(Self::Bench(arguments.collect())),
            None | Some("help" | "--help" | "-h") => Ok(Self::Help),
            Some(other) => bail!("there is no chore `{other}`"),
        }
    }
}

impl TestOptions {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--without" => {
                    let Some(tools) = arguments.next() else { bail!("--without needs the names of tools") };
                    options.without = tools.split(',').map(str::parse).collect::<Result<_>>()?;
                }
                "--" => options.cargo_arguments = arguments.by_ref().collect(),
                other => bail!("`test` does not know the argument `{other}`"),
            }
        }
        Ok(options)
    }

    /// Whether the arguments of cargo say which packages are tested.
    pub(crate) fn chooses_packages(&self) -> bool {
        let of_cargo = self.cargo_arguments.iter().take_while(|argument| *argument != "--");
        of_cargo.into_iter().any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Chore> {
        Chore::parse(line.split_whitespace().map(ToOwned::to_owned))
    }

    #[test]
    fn command_lines_are_read() {
        let test = |without: &[Tool], cargo: &[&str]| {
            let cargo_arguments = cargo.iter().map(ToString::to_string).collect();
            Chore::Test(TestOptions { without: without.to_vec(), cargo_arguments })
        };
        for (line, expected) in [
            ("", Chore::Help),
            ("ci", Chore::Ci),
            ("bench --quick", Chore::Bench(vec!["--quick".to_owned()])),
            ("test", test(&[], &[])),
            ("test --without browser,python", test(&[Tool::Browser, Tool::Python], &[])),
            ("test --without etcd,nacos,node", test(&[Tool::Etcd, Tool::Nacos, Tool::Node], &[])),
            ("test --without redis", test(&[Tool::Redis], &[])),
            (
                "test --without python -- -p ringway-e2e -- --exact",
                test(&[Tool::Python], &["-p", "ringway-e2e", "--", "--exact"]),
            ),
        ] {
            assert_eq!(parse(line).expect(line), expected, "{line}");
        }
        for line in ["tset", "ci now", "test --without", "test --without cargo", "test --fast"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn packages_are_chosen_before_the_second_dashes() {
        for (arguments, expected) in [
            (["--test", "memory", "-p", "x"], true),
            (["--package=x", "--", "--exact", "a"], true),
            (["--test", "memory", "--", "-p"], false),
        ] {
            let cargo_arguments = arguments.map(ToOwned::to_owned).to_vec();
            let options = TestOptions { without: Vec::new(), cargo_arguments };
            assert_eq!(options.chooses_packages(), expected, "{arguments:?}");
        }
    }
}
