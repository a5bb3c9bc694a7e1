//! The arguments of `ringway load connect`.

use std::time::Duration;

use clap::Args;

use super::{ClientsArgs, LoadOutput, WatchedArgs};

const EXAMPLES: &str = "\
Examples:
  ringway up                                             # in another terminal
  ringway load connect                                   # 1,000 clients, 500 in a second
  ringway load connect --clients 10000 --connect-rate 2000 --hold 1m
  ringway load connect --process gateway=1234 --process worker=1235 --html connect.html
  ringway load connect --require 'handshake_p99_ms<=50' --require 'failed<=0'";

/// `ringway load connect`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LoadConnectArgs {
    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = super::clients::most())]
    pub(crate) clients: u32,
    /// How long the sockets are held once all are open
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) hold: Duration,
    #[command(flatten)]
    pub(crate) who: ClientsArgs,
    #[command(flatten)]
    pub(crate) watched: WatchedArgs,
    #[command(flatten)]
    pub(crate) output: LoadOutput,
}
