//! The arguments of every load test that has clients: who they are, where they connect, and what is watched meanwhile.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use ringway_loadtest::{Process, Target, Template};

use crate::cli::{NodeArgs, Protocol};

/// Who connects, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Clients")]
pub(crate) struct ClientsArgs {
    /// Where they connect
    #[arg(long, short, value_name = "URL", env = "RINGWAY_URL", default_value = "ws://127.0.0.1:8080/ws")]
    pub(crate) url: Target,
    /// How many connect in a second
    #[arg(long, value_name = "N", default_value = "500", value_parser = rate)]
    pub(crate) connect_rate: f64,
    /// How long a handshake may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) connect_timeout: Duration,
    /// An address to connect from; may be repeated [default: 127.0.0.2, .3, … one for 10,000 clients, at loopback]
    #[arg(long, value_name = "IP")]
    pub(crate) source: Vec<IpAddr>,
    /// Their users: a template, with the client's number for n in braces and its group's for g in braces
    #[arg(long, value_name = "TEMPLATE", default_value = "load{n}-g{g}")]
    pub(crate) user: Template,
    /// Their groups; in mode plain that is what stands behind the last hyphen of the user
    #[arg(long, value_name = "TEMPLATE", default_value = "g{g}")]
    pub(crate) group: Template,
    /// Sign a JWT for each with the secret in this file; otherwise the tokens are the users (mode plain)
    #[arg(long, value_name = "FILE")]
    pub(crate) jwt_secret_file: Option<PathBuf>,
    /// What they speak
    #[arg(long, value_name = "PROTOCOL", value_enum, default_value_t)]
    pub(crate) protocol: Protocol,
    /// Load a cluster that is not on this machine
    #[arg(long)]
    pub(crate) allow_remote: bool,
}

/// What is watched.
#[derive(Debug, Args)]
pub(crate) struct WatchedArgs {
    /// A process of this machine to watch; may be repeated [default: those that listen at --url and --node]
    #[arg(long, value_name = "NAME=PID", help_heading = "Measuring")]
    pub(crate) process: Vec<Process>,
}

/// The way for those who send.
#[derive(Debug, Args)]
pub(crate) struct SenderArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// How long a send may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
}

/// A number of events in a second, above 0.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let is_rate = rate.is_finite() && rate > 0.0 && rate <= 10e6;
    if is_rate { Ok(rate) } else { Err("expected a number above 0, up to 10 million".to_owned()) }
}

/// How long a payload may be: what it says of itself must fit, and no more than gRPC takes is sent.
pub(super) fn payload_bytes() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(44..=67_108_864)
}

/// How many clients there may be; the system's limit of open files, which is lower, is told by itself.
pub(super) fn most() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=1_000_000)
}
