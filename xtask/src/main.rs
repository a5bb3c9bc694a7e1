//! The project's chores, run as `cargo xtask <chore>`.
//!
//! `test` is the README's test command: it installs what the tests need where that is missing, and runs all of them.
//! `bench` compares ringway with other systems, which it provides in the same way.
//! Nothing is left out silently: what is missing and cannot be installed is a failure that says what to install.

mod bench;
mod ci;
mod client;
mod options;
mod pages;
mod provision;
mod step;
mod test;

use std::process::ExitCode;

use options::{Chore, USAGE};

fn main() -> ExitCode {
    let done = match Chore::parse(std::env::args().skip(1)) {
        Ok(Chore::Help) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(Chore::Test(options)) => test::run(&options),
        Ok(Chore::Ci) => ci::run(),
        Ok(Chore::Bench(arguments)) => bench::run(&arguments),
        Err(error) => Err(error.context(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
