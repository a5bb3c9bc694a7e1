//! The arguments of `presence`.

use clap::{Args, Subcommand};

use super::NodeArgs;

const EXAMPLES: &str = "\
Examples:
  ringway presence get alice-room7 bob-room7
  ringway presence watch alice-room7             # its state, and then each change
  ringway presence watch --json                  # everybody: a line for each change";

/// `ringway presence`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PresenceArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: PresenceCommand,
}

/// What to ask of presence.
#[derive(Debug, Subcommand)]
pub(crate) enum PresenceCommand {
    /// Tell whether users are online
    Get(PresenceGetArgs),
    /// Tell whether users are online, and each change as it happens
    Watch(PresenceWatchArgs),
}

/// `ringway presence get`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PresenceGetArgs {
    /// The users, at most 10,000
    #[arg(value_name = "USER", required = true)]
    pub(crate) users: Vec<String>,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ringway presence watch`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PresenceWatchArgs {
    /// The users; none for everybody
    #[arg(value_name = "USER")]
    pub(crate) users: Vec<String>,
    /// Leave after this many changes, the first states included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) changes: Option<u64>,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print one JSON object for each change, on one line
    #[arg(long)]
    pub(crate) json: bool,
}
