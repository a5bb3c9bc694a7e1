//! The arguments of `ringway load article`.

use clap::Args;
use ringway_loadtest::Step;

use super::{ClientsArgs, LoadOutput, SenderArgs, WatchedArgs};

const EXAMPLES: &str = "\
Examples:
  ringway up                                          # in another terminal
  ringway load article                                # 1,000 and 5,000 over 10, 5 and 1 s, then doubled until it fails
  ringway load article --row 5000:1 --threads-max 5000
  ringway load article --require 'error_percent<=0' --require 'throughput_max>=40710'";

/// `ringway load article`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LoadArticleArgs {
    /// A row instead of the known ones, as THREADS:SECONDS or THREADS:SECONDS:LOOPS; may be repeated, and the last is doubled
    #[arg(long, value_name = "ROW")]
    pub(crate) row: Vec<Step>,
    /// How many messages each thread sends, in the known rows
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) loops: u32,
    /// Up to how many threads it goes on
    #[arg(long, value_name = "N", default_value_t = 640_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) threads_max: u32,
    /// How many members of the group are online
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = super::clients::most())]
    pub(crate) clients: u32,
    /// How long each payload is; at least 44 bytes, which say what it is
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = super::clients::payload_bytes())]
    pub(crate) bytes: u32,
    #[command(flatten)]
    pub(crate) who: ClientsArgs,
    #[command(flatten)]
    pub(crate) sender: SenderArgs,
    #[command(flatten)]
    pub(crate) watched: WatchedArgs,
    #[command(flatten)]
    pub(crate) output: LoadOutput,
}
