//! The arguments of `load`: one subcommand for each test, and what they have in common.

mod article;
mod clients;
mod connect;
mod send;
mod soak;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ringway_loadtest::Requirement;
use ringway_loadtest::ring::{KEYS_MAX, Kind, NODES_MAX};
use ringway_ring::{RingMember, Weight};

use super::inspect::member;

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

const RING_EXAMPLES: &str = "\
Examples:
  ringway load ring                                        # 16 nodes, a million keys
  ringway load ring --nodes 12 --weights 1,1,2 --svg ring.svg --html ring.html
  ringway load ring --node w1 --node w2 --node big=4 --keys-from users.txt
  cut -d, -f1 users.csv | ringway load ring --keys-from - --strategy slots,hashring:500
  ringway load ring --nodes 1000 --keys 100000000 --require 'slots_stddev_percent<=8'

Loads are multiples of what a node should have by its weight: 1 is ideal. Nothing is loaded but this
process. Measure times with a binary of the profile release.";

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
#[command(after_help = RING_EXAMPLES)]
pub(crate) struct LoadRingArgs {
    /// How many nodes there are
    #[arg(long, value_name = "N", default_value_t = 16, conflicts_with = "node", value_parser = nodes)]
    pub(crate) nodes: usize,
    /// Their weights, separated by commas, over and over
    #[arg(long, value_name = "WEIGHTS", value_delimiter = ',', conflicts_with = "node")]
    pub(crate) weights: Vec<Weight>,
    /// A node by its name, with its weight behind = if that is not 1; may be repeated
    #[arg(long, value_name = "NAME[=WEIGHT]", value_parser = member)]
    pub(crate) node: Vec<RingMember>,
    /// How many keys to generate, up to 100 million
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=KEYS_MAX))]
    pub(crate) keys: u64,
    /// Take real keys instead, such as your users' ids: one on each line of this file, or of stdin with -
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    pub(crate) keys_from: Option<PathBuf>,
    /// What to compare, separated by commas: slots, hashring:POINTS, modulo
    #[arg(long, value_name = "STRATEGIES", value_delimiter = ',', default_values_t = Kind::USUAL)]
    pub(crate) strategy: Vec<Kind>,
    /// Write a picture of the rings, the nodes and the movement
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
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

fn nodes(text: &str) -> Result<usize, String> {
    let nodes = text.parse().ok().filter(|nodes| (2..=NODES_MAX).contains(nodes));
    nodes.ok_or_else(|| format!("expected a number from 2 to {NODES_MAX}"))
}
