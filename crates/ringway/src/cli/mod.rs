//! The command line: what can be asked of the binary, and nothing of how it is done.

mod inspect;
mod load;
mod presence;
mod serve;
mod talk;
mod tools;

use clap::{Parser, Subcommand};

pub(crate) use inspect::{
    CloseArgs, DiffArgs, DrainArgs, GroupArgs, GroupCommand, LocateArgs, MembersArgs, MembershipArgs,
    NodeArgs, RingArgs, RingCommand, RingSource, SessionsArgs, WatchArgs, WeighArgs,
};
pub(crate) use load::{
    CargoArgs, ClientsArgs, LoadArgs, LoadArticleArgs, LoadCommand, LoadConnectArgs, LoadOutput,
    LoadRingArgs, LoadSendArgs, LoadSoakArgs, SenderArgs, Targets, Through, WatchedArgs,
};
pub(crate) use presence::{PresenceArgs, PresenceCommand, PresenceGetArgs, PresenceWatchArgs};
pub(crate) use serve::{BridgeArgs, GatewayArgs, UpArgs, WorkerArgs};
pub(crate) use talk::{
    ConnectArgs, Content, EventName, EventsArgs, Protocol, SendArgs, SendTarget, TextKind,
};
pub(crate) use tools::{CheckConfigArgs, CompletionsArgs, TokenArgs};

use crate::output::Form;

const AFTER_HELP: &str = "\
Start here:
  ringway up                             # a whole cluster on this machine
  ringway connect --token alice-room7    # in another terminal: a client
  ringway send user alice-room7 'hello'  # in a third: a message for it

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nobody there, 4 too slow to take it,
5 handshake refused, 6 socket closed by the server.

With --json what a command has to say is JSON on stdout; if it failed,
{\"error\":{\"message\":…}} with a \"reason\" where a node refused. People read the same on stderr.";

/// Keeps users' WebSockets on a cluster of workers, and takes a message to a user in one call to one machine.
#[derive(Debug, Parser)]
#[command(name = "ringway", version, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole cluster on this machine, in one process
    Up(Box<UpArgs>),
    /// Run a gateway: takes clients' sockets and leads each to its worker
    Gateway(Box<GatewayArgs>),
    /// Run a worker: holds sessions and delivers messages to them
    Worker(Box<WorkerArgs>),
    /// Run a bridge: messages in from RabbitMQ, events out to RabbitMQ or a webhook
    Bridge(Box<BridgeArgs>),
    /// Connect as a client: print what arrives, send what is typed
    Connect(ConnectArgs),
    /// Send a message to a user, a group or everybody, and print the receipt
    Send(SendArgs),
    /// Print what happens to sessions and what clients say, one JSON object on each line
    Events(EventsArgs),
    /// List the members of the cluster: who there is, in which state, with which share of the ring
    Members(MembersArgs),
    /// Take a worker off the ring and move its sessions to the others
    Drain(DrainArgs),
    /// Put a drained worker back on the ring
    Undrain(DrainArgs),
    /// Give a worker another share of the ring
    Weigh(WeighArgs),
    /// List sessions
    Sessions(SessionsArgs),
    /// Tell who is online, once or as it changes
    Presence(PresenceArgs),
    /// Close one session, or all sessions of a user
    Close(CloseArgs),
    /// Make sessions members of a group, or end their membership
    Group(GroupArgs),
    /// Show who owns what, and what a change of members would move
    Ring(RingArgs),
    /// Measure what placement, nodes and the machine can take
    Load(LoadArgs),
    /// Make a JWT for trying
    Token(TokenArgs),
    /// Check a configuration file and report every mistake
    CheckConfig(CheckConfigArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

impl Command {
    /// How it shows its result, and why it failed. What serves, and what writes files, is for people.
    pub(crate) fn form(&self) -> Form {
        Form::of(match self {
            Self::Up(_) | Self::Gateway(_) | Self::Worker(_) | Self::Bridge(_) | Self::Completions(_) => {
                false
            }
            Self::Events(_) => true,
            Self::Connect(args) => args.json,
            Self::Send(args) => args.target.content().json,
            Self::Members(args) => args.json,
            Self::Drain(args) | Self::Undrain(args) => args.json,
            Self::Weigh(args) => args.json,
            Self::Sessions(args) => args.json,
            Self::Presence(args) => match &args.command {
                PresenceCommand::Get(args) => args.json,
                PresenceCommand::Watch(args) => args.json,
            },
            Self::Close(args) => args.json,
            Self::Group(args) => match &args.command {
                GroupCommand::Join(args) | GroupCommand::Leave(args) => args.json,
            },
            Self::Ring(args) => match &args.command {
                RingCommand::Show { source } => source.json,
                RingCommand::Locate(args) => args.source.json,
                RingCommand::Diff(args) => args.source.json,
                RingCommand::Watch(args) => args.json,
                RingCommand::Vectors { json } => *json,
            },
            Self::Load(args) => args.command.output().json,
            Self::Token(args) => args.json,
            Self::CheckConfig(args) => args.json,
        })
    }
}

#[cfg(test)]
mod tests;
