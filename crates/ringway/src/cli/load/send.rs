//! The arguments of `ringway load send`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{ClientsArgs, LoadOutput, SenderArgs, WatchedArgs};

const EXAMPLES: &str = "\
Examples:
  ringway up                                                 # in another terminal
  ringway load send                                          # to 100 users, 1,000 messages in a second
  ringway load send --rate 10000 --through unary --duration 30s
  ringway load send --fast --clients 1000                    # as fast as they are answered
  ringway load send --to groups --groups 10 --clients 1000 --rate 100 --bytes 1000
  ringway load send --require 'latency_p99_ms<=20' --require 'lost<=0' --html send.html";

/// `ringway load send`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LoadSendArgs {
    /// To whom: to one user or group after the other, or to all at once
    #[arg(long, value_name = "TARGETS", value_enum, default_value_t)]
    pub(crate) to: Targets,
    /// How many clients receive
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = super::clients::most())]
    pub(crate) clients: u32,
    /// Over how many groups they are spread
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) groups: u32,
    /// How many messages are sent in a second, whatever becomes of those before
    #[arg(long, value_name = "N", default_value = "1000", value_parser = super::clients::rate)]
    pub(crate) rate: f64,
    /// Send as fast as messages are answered, instead of at a rate
    #[arg(long, conflicts_with = "rate")]
    pub(crate) fast: bool,
    /// For how long it is measured
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) duration: Duration,
    /// For how long is sent before, without measuring
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    pub(crate) warm_up: Duration,
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
    #[command(flatten)]
    pub(crate) who: ClientsArgs,
    #[command(flatten)]
    pub(crate) sender: SenderArgs,
    #[command(flatten)]
    pub(crate) watched: WatchedArgs,
    #[command(flatten)]
    pub(crate) output: LoadOutput,
}

/// What is sent.
#[derive(Debug, Args)]
pub(crate) struct CargoArgs {
    /// Through which call
    #[arg(long, value_name = "CALL", value_enum, default_value_t)]
    pub(crate) through: Through,
    /// How long each payload is; at least 44 bytes, which say what it is
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = super::clients::payload_bytes())]
    pub(crate) bytes: u32,
    /// Binary messages instead of texts
    #[arg(long)]
    pub(crate) binary: bool,
    /// Have each stored until its client has acknowledged it; to users, with --protocol v1
    #[arg(long)]
    pub(crate) at_least_once: bool,
    /// How many messages may be unanswered; those that are due beyond it wait, and their waiting is measured
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) under_way_max: u32,
}

/// To whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Targets {
    /// One user after the other
    #[default]
    Users,
    /// One group after the other
    Groups,
    /// Everybody
    All,
}

/// Through which call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Through {
    /// The pipeline, which keeps the order
    #[default]
    Publish,
    /// A call for each message
    Unary,
}
