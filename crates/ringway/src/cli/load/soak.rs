//! The arguments of `ringway load soak`.

use std::time::Duration;

use clap::Args;
use ringway_loadtest::MetricsUrl;

use super::{CargoArgs, ClientsArgs, LoadOutput, SenderArgs, WatchedArgs};

const EXAMPLES: &str = "\
Examples:
  ringway up                                          # in another terminal
  ringway load soak                                   # ten minutes
  ringway load soak --duration 8h --html soak.html
  ringway load soak --process w1=1234 --metrics http://127.0.0.1:9091/metrics

It fails when something leaks, is lost, comes twice or out of order, or when a client that stays is disconnected;
--require adds to that.";

/// `ringway load soak`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LoadSoakArgs {
    /// How long it goes on
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    pub(crate) duration: Duration,
    /// How many clients stay
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = super::clients::most())]
    pub(crate) clients: u32,
    /// How many others are there together, each for a while
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) others: u32,
    /// How many of them come in a second, and how many go
    #[arg(long, value_name = "N", default_value = "20", value_parser = super::clients::rate)]
    pub(crate) come_and_go: f64,
    /// Over how many groups all are spread
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) groups: u32,
    /// How many messages are sent in a second, half of them to users and half to groups
    #[arg(long, value_name = "N", default_value = "200", value_parser = super::clients::rate)]
    pub(crate) rate: f64,
    /// How often the ring changes: workers drain, come back, and change their weights
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) ring_change_every: Duration,
    /// Leave the ring alone
    #[arg(long, conflicts_with = "ring_change_every")]
    pub(crate) no_ring_changes: bool,
    /// Where a node shows its metrics, for its tasks; may be repeated [default: /metrics at --url, if there are any]
    #[arg(long, value_name = "URL", help_heading = "Measuring")]
    pub(crate) metrics: Vec<MetricsUrl>,
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
