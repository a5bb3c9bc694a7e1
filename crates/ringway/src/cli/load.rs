//! The arguments of `load`: one subcommand for each test, and what they have in common.

mod article;
mod clients;
mod connect;
mod send;
mod soak;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ringway_loadtest::Requirement;

pub(crate) use article::LoadArticleArgs;
pub(crate) use clients::{ClientsArgs, SenderArgs, WatchedArgs};
pub(crate) use connect::LoadConnectArgs;
pub(crate) use send::{CargoArgs, LoadSendArgs, Targets, Through};
pub(crate) use soak::LoadSoakArgs;

const LOAD_EXAMPLES: &str = "\
Every test shows on stderr how it goes, if that is a terminal, and ends with a report on stdout. With
--require it becomes a check:

  ringway load ring --require 'slots_max_mean<=1.05' || echo 'too uneven'

The figures' names stand in the report, and a wrong name is told with all right ones before the test
begins. Exit codes: 0 done, and everything is as required; 1 failed, or something is not as required.";

/// `ringway load`
#[derive(Debug, Args)]
#[command(after_help = LOAD_EXAMPLES)]
pub(crate) struct LoadArgs {
    #[command(subcommand)]
    pub(crate) command: LoadCommand,
}

/// A test.
#[derive(Debug, Subcommand)]
pub(crate) enum LoadCommand {
    /// Measure how evenly keys are spread over nodes, and how many move when the nodes change
    Ring(LoadRingArgs),
    /// Open sockets and hold them: handshakes, failures by cause, memory for each connection
    Connect(Box<LoadConnectArgs>),
    /// Send at a rate or as fast as possible: latency, what is lost or out of order, processor time for each message
    Send(Box<LoadSendArgs>),
    /// Send to one group by 1,000, by 5,000 and by ever more threads, until something fails
    Article(Box<LoadArticleArgs>),
    /// Live a mixed life for a long time, and look for leaks
    Soak(Box<LoadSoakArgs>),
}

/// How a test tells what it measured.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Report")]
pub(crate) struct LoadOutput {
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the report as one page with plots, which needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Exit with 1 unless a figure is at most (<=) or at least (>=) this; may be repeated
    #[arg(long, value_name = "NAME<=VALUE")]
    pub(crate) require: Vec<Requirement>,
}

/// `ringway load ring`
#[derive(Debug, Args)]
pub(crate) struct LoadRingArgs {
    #[command(flatten)]
    pub(crate) output: LoadOutput,
}

impl LoadCommand {
    /// What all tests have in common.
    pub(crate) fn output(&self) -> &LoadOutput {
        match self {
            Self::Ring(args) => &args.output,
            Self::Connect(args) => &args.output,
            Self::Send(args) => &args.output,
            Self::Article(args) => &args.output,
            Self::Soak(args) => &args.output,
        }
    }
}
