//! What can be changed on the command line.

use clap::Parser;

/// Measures ring changes.
#[derive(Clone, Debug, Parser)]
#[command(name = "handover")]
pub(crate) struct Options {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// How often each change is made
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// How many clients there are
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    pub(crate) clients: u32,
    /// How many of them are users of workers that stay
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(10..=900))]
    pub(crate) bystanders: u32,
    /// How many messages are sent in a second: half of them to few users that move, often, the others one user after
    /// the other
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub(crate) rate: u32,
    /// A setting of all nodes, such as handover.sessions_per_second=20000; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

impl Options {
    /// How many clients are users of the worker that goes.
    pub(crate) fn movers(&self) -> usize {
        (self.clients - self.bystanders) as usize
    }
}
