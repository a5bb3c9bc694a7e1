//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{hub, sender};

/// Measures ringway and other systems, side by side.
#[derive(Clone, Debug, Parser)]
#[command(name = "ringway-peers", args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Few clients, few messages, one round: shows that everything runs, and measures nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often everything is measured; the systems take turns
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: Option<u32>,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Part>,
    /// Only systems whose names contain one of these
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) systems: Vec<String>,
    /// Write the tables to this file too (Markdown)
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write every round's figures to this file (JSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// A part of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Proxies in front of a minimal upstream
    Gateways,
    /// Messages to users and to all
    Delivery,
    /// A user's message with more and more workers
    Scaling,
    /// The load that this design is known by
    Article,
    /// Placement
    Ring,
}

/// The parts that this binary plays itself.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// A small server: upstream, bare writer or broadcast worker
    #[command(hide = true)]
    Hub(hub::Role),
    /// The back end behind pushpin
    #[command(hide = true)]
    Origin {
        /// Where pushpin connects
        #[arg(long)]
        listen: SocketAddr,
    },
    /// ringway's sender
    #[command(hide = true)]
    Send(sender::Role),
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) rounds: u32,
    /// Clients of a delivery, of a gateway, and of each number of workers.
    pub(crate) members: usize,
    pub(crate) handshakes: usize,
    pub(crate) users: usize,
    /// Group messages in a fan-out.
    pub(crate) fan_outs: u64,
    /// Messages to users, as fast as they go.
    pub(crate) unicasts: u64,
    /// How many messages to users may be outstanding, and how many to everybody beside the one that is under way.
    pub(crate) unicasts_outstanding: u64,
    pub(crate) fan_outs_outstanding: u64,
    /// Messages in a second, and for how many seconds.
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    /// Messages, one after the other, while the number of workers grows.
    pub(crate) one_by_one: u64,
    /// Group messages of the article's load at once, and as fast as they go.
    pub(crate) article: u64,
    pub(crate) sustained: u64,
}

const FULL: Size = Size {
    rounds: 5,
    members: 10_000,
    handshakes: 9_000,
    users: 2_000,
    fan_outs: 30,
    unicasts: 400_000,
    unicasts_outstanding: 8_192,
    fan_outs_outstanding: 3,
    rate: 10_000,
    seconds: 3,
    one_by_one: 10_000,
    article: 5_000,
    sustained: 150_000,
};

const QUICK: Size = Size {
    rounds: 1,
    members: 300,
    handshakes: 300,
    users: 200,
    fan_outs: 10,
    unicasts: 3_000,
    unicasts_outstanding: 8_192,
    fan_outs_outstanding: 3,
    rate: 1_000,
    seconds: 1,
    one_by_one: 500,
    article: 500,
    sustained: 3_000,
};

impl Size {
    /// For a system that takes many times as long: a tenth of what goes as fast as it can.
    pub(crate) fn of_slow_ones(self) -> Self {
        Self { fan_outs: self.fan_outs.div_ceil(10), unicasts: self.unicasts.div_ceil(10), ..self }
    }

    /// For a system that drops what it cannot take: little outstanding, and a tenth of the rate.
    pub(crate) fn of_those_that_drop(self) -> Self {
        Self { unicasts_outstanding: 256, fan_outs_outstanding: 0, rate: self.rate.div_ceil(10), ..self }
    }
}

impl Options {
    pub(crate) fn size(&self) -> Size {
        let size = if self.quick { QUICK } else { FULL };
        Size { rounds: self.rounds.unwrap_or(size.rounds), ..size }
    }

    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    pub(crate) fn wants_system(&self, name: &str) -> bool {
        self.systems.is_empty() || self.systems.iter().any(|wanted| name.contains(wanted.as_str()))
    }
}
