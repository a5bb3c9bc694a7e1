//! Other systems and ringway, side by side: each is started, loaded and ended in turn, several times over, and what counts is the
//! processor time that the operating system says its processes have used.
//!
//! `cargo xtask bench` provides the other systems and runs this; `docs/benchmarks.md` says what the rows mean. Everything listens
//! on loopback. A system that is not here is named in the output, never passed over.
//!
//! The same binary also plays the small servers that the comparison needs (`role …`): the upstream behind a proxy, the bare
//! program that only writes, the worker of a broadcast design, and ringway's sender.

mod clock;
mod cores;
mod crowd;
mod figures;
mod goals;
mod hub;
mod kernel;
mod load;
mod mark;
mod measure;
mod options;
mod origin;
mod procs;
mod report;
mod sender;
mod system;
mod systems;
mod tools;

use std::process::ExitCode;

use clap::Parser as _;

use options::{Command, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    ringway_e2e::raise_file_limit();
    let done = match &options.command {
        None => measure::all(&options),
        Some(Command::Hub(role)) => hub::run(role),
        Some(Command::Origin { listen }) => origin::run(*listen),
        Some(Command::Send(role)) => sender::run(role),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringway-peers: {error:#}");
            ExitCode::FAILURE
        }
    }
}
