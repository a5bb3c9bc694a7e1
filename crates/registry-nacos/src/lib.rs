//! Membership in Nacos, the naming service of the Java and Spring world.
//!
//! A member is an ephemeral instance of one Nacos service, beside the back end's other services. Address and port are
//! those of its rpc URL; everything that ringway knows of it is in the instance's metadata, under names that begin with
//! `ringway.`.
//!
//! - An instance lives as long as the connection that registered it: a process that dies is removed at once, one that
//!   is silent after Nacos's removal time. So each lease has a connection of its own, and dropping it closes that.
//! - Nacos has no transactions. Each join has a stamp that is greater than every stamp seen for its id; of several
//!   instances with one id, the greatest stamp is the member. Before it does anything, a lease reads back whose stamp
//!   is shown, so a former lease does nothing after a later one could be seen.
//! - Nacos away: the last list stays. When it is back it knows nobody until everybody has registered again: for its
//!   removal time, members that were in the list before stay in it.
//!
//! The client is our own: Nacos 2 speaks JSON messages over two gRPC methods, and membership needs seven of them
//! (module `message`). The public SDK registers again by itself after every reconnection, whoever else has joined since; it
//! never closes a connection that is not needed any more, waits for up to a minute before it connects again, and reads
//! `.env` files into this process's environment.

mod config;
mod connection;
mod error;
mod instance;
mod login;
mod message;
mod place;
mod registry;
mod roster;
mod watch;
mod wire;

pub use config::{Credentials, NacosConfig, REMOVAL_AFTER_DEFAULT};
pub use registry::NacosRegistry;
