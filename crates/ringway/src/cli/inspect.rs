//! The arguments of what looks at a cluster and acts on it: `members`, `drain`, `weigh`, `sessions`, `close`, `group`, `ring`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ringway_ring::{MemberId, RingMember, Strategy, Weight};
use ringway_rpc::NodeUrl;

const RING_EXAMPLES: &str = "\
Examples:
  ringway ring show                                     # the ring of the cluster that `ringway up` runs
  ringway ring show --node http://10.0.0.1:7071         # of another one
  ringway ring locate alice-room7
  ringway ring diff --add w4 --remove w1                # what would move
  ringway ring diff --member w1 --member w2=2 --add w3  # without a cluster; w2 twice as heavy
  ringway ring watch                                    # each change as it happens
  ringway ring vectors                                  # test vectors for other languages";

const MEMBERS_EXAMPLES: &str = "\
Examples:
  ringway members                                # as the gateway at http://127.0.0.1:7070 sees them
  ringway members --node http://10.0.0.1:7071    # as another node sees them
  ringway members --json";

const SESSIONS_EXAMPLES: &str = "\
Examples:
  ringway sessions
  ringway sessions alice-room7 --json
  ringway sessions --group room7

Exit codes: 0 done, 1 failed, 3 no such session is connected.";

const CLOSE_EXAMPLES: &str = "\
Examples:
  ringway close 0b0e2a…                                  # one session, by its id (`ringway sessions` shows it)
  ringway close --user alice-room7 --reason 'signed out'
  ringway close --user alice-room7 --code 4300 --reason 'get a new token'

Exit codes: 0 closed, 1 failed, 3 no such session is connected.";

/// How to reach the cluster.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// Any node of the cluster
    #[arg(
        long,
        value_name = "URL",
        env = "RINGWAY_NODE",
        default_value = "http://127.0.0.1:7070",
        help_heading = "Cluster"
    )]
    pub(crate) node: NodeUrl,
    /// The file with the cluster secret [or RINGWAY_CLUSTER_SECRET; for `ringway up` on this machine it is found]
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub(crate) secret_file: Option<PathBuf>,
}

/// `ringway members`
#[derive(Debug, Args)]
#[command(after_help = MEMBERS_EXAMPLES)]
pub(crate) struct MembersArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const DRAIN_EXAMPLES: &str = "\
Examples:
  ringway drain w2                               # every session of w2 moves to the others; no client notices
  ringway undrain w2                             # it takes its share again
  ringway weigh w2 3                             # three times the share of a worker of weight 1

Exit codes: 0 done, 1 failed, or sessions are left.";

/// `ringway drain` and `ringway undrain`
#[derive(Debug, Args)]
#[command(after_help = DRAIN_EXAMPLES)]
pub(crate) struct DrainArgs {
    /// The worker's name (`ringway members` shows it)
    #[arg(value_name = "WORKER")]
    pub(crate) worker: MemberId,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ringway weigh`
#[derive(Debug, Args)]
#[command(after_help = DRAIN_EXAMPLES)]
pub(crate) struct WeighArgs {
    /// The worker's name (`ringway members` shows it)
    #[arg(value_name = "WORKER")]
    pub(crate) worker: MemberId,
    /// Its share of the ring, relative to the others: 0 to 100
    #[arg(value_name = "WEIGHT")]
    pub(crate) weight: Weight,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ringway sessions`
#[derive(Debug, Args)]
#[command(after_help = SESSIONS_EXAMPLES)]
pub(crate) struct SessionsArgs {
    /// Only this user's
    #[arg(value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Only the members of this group
    #[arg(long, value_name = "GROUP", conflicts_with = "user")]
    pub(crate) group: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whose sessions: exactly one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// One session, by its id
    #[arg(long, value_name = "SESSION")]
    pub(crate) session: Option<String>,
    /// All sessions of this user
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
}

/// `ringway close`
#[derive(Debug, Args)]
#[command(after_help = CLOSE_EXAMPLES)]
pub(crate) struct CloseArgs {
    /// One session, by its id
    #[arg(value_name = "SESSION", required_unless_present = "user", conflicts_with = "user")]
    pub(crate) session: Option<String>,
    /// All sessions of this user
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// The close code for the client: 1000, 1001, 1008, 1011 to 1013, or 3000 to 4999
    #[arg(long, value_name = "CODE", default_value_t = 4401)]
    pub(crate) code: u32,
    /// The close reason for the client, at most 123 bytes
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ringway group`
#[derive(Debug, Args)]
pub(crate) struct GroupArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: GroupCommand,
}

/// What to do with a group.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Make sessions members of a group
    Join(MembershipArgs),
    /// End the membership of sessions
    Leave(MembershipArgs),
}

/// `ringway group join` and `leave`
#[derive(Debug, Args)]
pub(crate) struct MembershipArgs {
    /// The group
    #[arg(value_name = "GROUP")]
    pub(crate) group: String,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ringway ring`
#[derive(Debug, Args)]
#[command(after_help = RING_EXAMPLES)]
pub(crate) struct RingArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: RingCommand,
}

/// What to ask of a ring.
#[derive(Debug, Subcommand)]
pub(crate) enum RingCommand {
    /// Show the members and their shares
    Show {
        #[command(flatten)]
        source: RingSource,
    },
    /// Show which worker owns a user or a group, and which would be next
    Locate(LocateArgs),
    /// Show what a change of members would move
    Diff(DiffArgs),
    /// Print each change of the members and of the ring as it happens
    Watch(WatchArgs),
    /// Print the test vectors of docs/placement.md as JSON
    Vectors {
        /// Print JSON, as it does anyway
        #[arg(long)]
        json: bool,
    },
}

/// `ringway ring locate`
#[derive(Debug, Args)]
pub(crate) struct LocateArgs {
    /// The user or group
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) source: RingSource,
}

/// `ringway ring diff`
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A worker that joins, or one that gets another weight; may be repeated
    #[arg(long, value_name = "ID[=WEIGHT]", value_parser = member, required_unless_present = "remove")]
    pub(crate) add: Vec<RingMember>,
    /// A worker that leaves; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) remove: Vec<String>,
    #[command(flatten)]
    pub(crate) source: RingSource,
}

/// `ringway ring watch`
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Leave after this many changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) changes: Option<u64>,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print one JSON object for each change, on one line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which ring: a cluster's, or one of members that are listed.
#[derive(Debug, Args)]
pub(crate) struct RingSource {
    /// A member of a ring that is built here, without a cluster; may be repeated
    #[arg(long, value_name = "ID[=WEIGHT]", value_parser = member, help_heading = "Without a cluster")]
    pub(crate) member: Vec<RingMember>,
    /// How that ring is built: slots or hashring
    #[arg(long, value_name = "STRATEGY", requires = "member", help_heading = "Without a cluster")]
    pub(crate) strategy: Option<Strategy>,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn member(text: &str) -> Result<RingMember, String> {
    let (id, weight) = match text.rsplit_once('=') {
        Some((id, weight)) => {
            (id, weight.parse().map_err(|_| "the weight must be a whole number from 0 to 100")?)
        }
        None => (text, Default::default()),
    };
    let id = id.parse().map_err(|error: ringway_ring::RingError| error.to_string())?;
    Ok(RingMember::new(id).weighing(weight))
}
