//! Spreads users' WebSockets over a cluster of workers and delivers messages to them: the binary.
//!
//! It reads the command line and the configuration, wires the parts together, and ends with an exit code. Nothing about
//! placing, delivering or sockets is decided here.

mod cli;
mod command;
mod config;
mod exit;
mod failure;
mod memory;
mod output;
mod secret_file;
mod serve;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use exit::Ending;

fn main() -> ExitCode {
    memory::use_small_pages();
    let command = Cli::parse().command;
    let form = command.form();
    match run(command) {
        Ok(ending) => ending.into(),
        Err(error) if error.is::<output::StdoutClosed>() => ExitCode::SUCCESS,
        Err(error) => {
            failure::tell(&error, form);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<Ending> {
    match command {
        Command::Up(args) => serve::up(*args),
        Command::Gateway(args) => serve::gateway(*args),
        Command::Worker(args) => serve::worker(*args),
        Command::Bridge(args) => serve::bridge(*args),
        Command::Token(args) => command::token(args),
        Command::CheckConfig(args) => command::check_config(args),
        Command::Completions(args) => command::completions(&args),
        Command::Load(args) => command::load(args),
        Command::Ring(args) => shortly(command::ring(args)),
        Command::Members(args) => shortly(command::members(args)),
        Command::Drain(args) => shortly(command::drain(args)),
        Command::Undrain(args) => shortly(command::undrain(args)),
        Command::Weigh(args) => shortly(command::weigh(args)),
        Command::Presence(args) => shortly(command::presence(args)),
        Command::Sessions(args) => shortly(command::sessions(args)),
        Command::Close(args) => shortly(command::close(args)),
        Command::Group(args) => shortly(command::group(args)),
        Command::Connect(args) => shortly(command::connect(args)),
        Command::Send(args) => shortly(command::send(args)),
        Command::Events(args) => shortly(command::events(args)),
    }
}

/// Runs a command that is over soon: one thread, quiet logs.
fn shortly(command: impl Future<Output = anyhow::Result<Ending>>) -> anyhow::Result<Ending> {
    telemetry::start_quiet_logs()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}
