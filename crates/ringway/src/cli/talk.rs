//! The arguments of what talks: `connect`, `send` and `events`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use ringway_sender::SessionId;
use ringway_session::MailboxPlace;

use super::NodeArgs;

const CONNECT_EXAMPLES: &str = "\
Examples:
  ringway connect --token alice-room7
  ringway connect --token \"$JWT\" --url wss://chat.example.com/ws -H 'Origin: https://example.com'
  ringway connect --token alice-room7 --json --messages 1     # wait for one message, print it, leave
  ringway connect --token alice-room7 --protocol v1           # miss nothing when the connection breaks

Each line that is typed is sent as a text message. With --protocol v1 it must be a frame of
docs/client-protocol.md, or one of these commands, whose answers are shown:

  /join GROUP          /send USER TEXT     /event TOPIC TEXT
  /leave GROUP         /group GROUP TEXT   /watch USER…        /unwatch USER…

TEXT that is a JSON object or array goes as such. Ctrl-D or Ctrl-C ends the connection; when stdin
is no terminal, its end does not.

With --protocol v1 messages are shown with their topics and acknowledged, and a connection that
broke, or was closed with a code that says so, is followed by another one that goes on where it
stopped. What the first handshake cannot reach is not tried again.

Exit codes: 0 ended by you or closed normally, 1 failed, 5 handshake refused, 6 closed by the
server or lost.";

const SEND_EXAMPLES: &str = "\
Examples:
  ringway send user alice-room7 'hello'
  ringway send group room7 --topic news --kind json '{\"headline\":\"it works\"}'
  ringway send user alice-room7 --at-least-once 'for whenever you are back'
  date | ringway send all -
  ringway send user alice-room7 --binary-file photo.jpg

Exit codes: 0 delivered, stored, or waiting for sessions that lost their connections a moment ago;
1 failed, 3 nobody there (no session of the target is connected), 4 every session of the target
was too slow to take it. --json tells the outcomes apart.";

const EVENTS_EXAMPLES: &str = "\
Examples:
  ringway events                                    # of all workers of `ringway up`, as CloudEvents
  ringway events --kind message | jq .data.payload
  ringway events --name audit                       # kept by the workers while this is not running

An event counts as received when it was printed. Lines without \"specversion\" tell that events are lost:
{\"worker\":\"w1\",\"missed\":3}.";

/// `ringway events`
#[derive(Debug, Args)]
#[command(after_help = EVENTS_EXAMPLES)]
pub(crate) struct EventsArgs {
    /// Only events of this kind; may be repeated
    #[arg(long, value_name = "KIND", value_enum)]
    pub(crate) kind: Vec<EventName>,
    /// A name, for the workers to keep what was not printed for the next who comes by it
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) name: String,
    /// Leave after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) events: Option<u64>,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

/// A kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventName {
    /// A session was opened
    Connected,
    /// A session has ended
    Disconnected,
    /// A client has sent something
    Message,
}

/// `ringway connect`
#[derive(Debug, Args)]
#[command(after_help = CONNECT_EXAMPLES)]
pub(crate) struct ConnectArgs {
    /// Who to be: in mode plain the user's name, in mode jwt a JWT
    #[arg(long, short, value_name = "TOKEN", env = "RINGWAY_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Where to connect
    #[arg(long, short, value_name = "URL", env = "RINGWAY_URL", default_value = "ws://127.0.0.1:8080/ws")]
    pub(crate) url: String,
    /// A header for the handshake, as 'Name: value'; may be repeated
    #[arg(long, short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) header: Vec<(String, String)>,
    /// What to speak with the server
    #[arg(long, value_name = "PROTOCOL", value_enum, default_value_t)]
    pub(crate) protocol: Protocol,
    /// With --protocol v1: leave when the connection breaks, instead of connecting again
    #[arg(long)]
    pub(crate) no_reconnect: bool,
    /// Which of the user's devices this is: each has its own position in the user's mailbox
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// With --protocol v1: the last place in the mailbox that is known from before (a message's "stored")
    #[arg(long, value_name = "PLACE")]
    pub(crate) mailbox: Option<MailboxPlace>,
    /// A subprotocol to offer; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// Trust the certificates in this PEM file (for wss), instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Leave after this many messages have arrived
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: Option<u64>,
    /// Print one JSON object for each event, on one line
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Payloads go as they are
    #[default]
    Raw,
    /// ringway.v1.json: numbered, acknowledged, resumed
    #[value(alias = "ringway.v1.json")]
    V1,
}

/// `ringway send`
#[derive(Debug, Args)]
#[command(after_help = SEND_EXAMPLES)]
pub(crate) struct SendArgs {
    /// To whom
    #[command(subcommand)]
    pub(crate) target: SendTarget,
}

/// To whom.
#[derive(Debug, Subcommand)]
pub(crate) enum SendTarget {
    /// To all sessions of one user
    User {
        /// The user
        name: String,
        #[command(flatten)]
        content: Content,
    },
    /// To all sessions in one group
    Group {
        /// The group
        name: String,
        #[command(flatten)]
        content: Content,
    },
    /// To every session of the cluster
    All {
        #[command(flatten)]
        content: Content,
    },
}

impl SendTarget {
    /// What is sent to it.
    pub(crate) fn content(&self) -> &Content {
        let (Self::User { content, .. } | Self::Group { content, .. } | Self::All { content }) = self;
        content
    }
}

/// What to send, and how.
#[derive(Debug, Args)]
pub(crate) struct Content {
    /// The text; - or nothing reads it from stdin
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) text: Option<String>,
    /// Send this file's bytes as a binary message
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) binary_file: Option<PathBuf>,
    /// As what TEXT is sent: json must be one JSON value, which clients of ringway.v1.json get as such
    #[arg(long, value_name = "KIND", value_enum, default_value_t, conflicts_with = "binary_file")]
    pub(crate) kind: TextKind,
    /// What it is about; clients of ringway.v1.json see it
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
    /// The message's id, instead of one made up; it comes back in the receipt
    #[arg(long, value_name = "ID")]
    pub(crate) message_id: Option<String>,
    /// A session that shall not receive it; may be repeated
    #[arg(long, value_name = "SESSION")]
    pub(crate) exclude: Vec<SessionId>,
    /// Store it until each of the user's devices has acknowledged it; for one user only
    #[arg(long)]
    pub(crate) at_least_once: bool,
    /// With --at-least-once: for how long it is of use
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "at_least_once")]
    pub(crate) time_to_live: Option<Duration>,
    /// With --at-least-once: it is for the device that takes it first
    #[arg(long, requires = "at_least_once")]
    pub(crate) until_first_ack: bool,
    /// With --at-least-once: wait so long until a device has acknowledged it
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "at_least_once")]
    pub(crate) wait_acknowledged: Option<Duration>,
    /// How long it may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Print the receipt as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// As what a text is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextKind {
    /// As it is
    #[default]
    Text,
    /// As a JSON value
    Json,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
