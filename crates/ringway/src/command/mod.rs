//! What each subcommand does.

mod check_config;
mod completions;
mod connect;
mod drain;
mod events;
mod load;
mod members;
mod node;
mod presence;
mod ring;
mod send;
mod sessions;
mod token;
mod watch;

pub(crate) use check_config::check_config;
pub(crate) use completions::completions;
pub(crate) use connect::connect;
pub(crate) use drain::{drain, undrain, weigh};
pub(crate) use events::events;
pub(crate) use load::load;
pub(crate) use members::members;
pub(crate) use node::Refused;
pub(crate) use presence::presence;
pub(crate) use ring::ring;
pub(crate) use send::send;
pub(crate) use sessions::{close, group, sessions};
pub(crate) use token::token;
