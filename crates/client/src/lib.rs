//! The client's side of the subprotocol `ringway.v1.json` (docs/client-protocol.md).
//!
//! A [`ClientSession`] decides what a client does: when it connects, with what it resumes, what it acknowledges and when,
//! and whether a socket that was closed is to be followed by another. It knows no socket and no clock: whoever has them
//! gives it [`Event`]s and the time, carries out its [`Action`]s, and wakes it at its [deadline](ClientSession::deadline).
//! So terminal client, load test and simulations behave alike, and every history can be run in a test.

mod acks;
mod action;
mod backoff;
mod config;
mod frame;
mod requests;
mod session;

pub use action::{Action, Continuation, Continuity, End, Event, Refusal, Resume};
pub use config::{AckConfig, BackoffConfig, ClientConfig, Reconnect};
pub use frame::{
    Content, ErrorFrame, Mailbox, Message, Presence, Receipt, Reply, ServerFrame, ServerFrameError, Welcome,
};
pub use requests::{NotSent, Request};
pub use session::ClientSession;
