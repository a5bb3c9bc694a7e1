//! `ringway connect`: a client at the terminal. What arrives goes to stdout, what is typed goes out, and everything that is
//! said about the connection goes to stderr (with `--json` all of it goes to stdout, one object on each line).

mod events;
mod hint;
mod raw;
mod resuming;
mod stdin;
mod transport;
mod typed;

use crate::cli::{ConnectArgs, Protocol};
use crate::exit::Ending;
use crate::output::Form;
use events::Events;

/// Connects, relays, and says how it ended.
pub(crate) async fn connect(args: ConnectArgs) -> anyhow::Result<Ending> {
    let events = Events(Form::of(args.json));
    match args.protocol {
        Protocol::Raw => raw::connect(&args, events).await,
        Protocol::V1 => resuming::connect(&args, events).await,
    }
}
