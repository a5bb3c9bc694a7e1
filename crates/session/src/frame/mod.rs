//! The frames of the subprotocol `ringway.v1.json`, as text: what a worker says to its clients, and what it reads of them.
//!
//! The specification is `docs/client-protocol.md`; frames byte for byte stand in `tests/vectors/client-protocol.json`. Two
//! laws: whatever a client sends is read without a panic and answered in bounded space, and what a reader does not know
//! it passes over (members) or answers with an error (types), so that either side may be older than the other.

mod client;
mod error;
mod message;
mod presence;
mod server;
#[cfg(test)]
mod tests;
mod written;

pub use client::{ClientEvent, ClientFrame, ClientSend, FromClient, REF_BYTES_MAX, Recipient, parse};
pub use error::{ERROR_MESSAGE_BYTES_MAX, ErrorCode, FrameError};
pub(crate) use message::mailbox_tail;
pub use message::{Head, message_tail, numbered, numbered_bytes};
pub use presence::{PRESENCE_USERS_MAX, WATCH_USERS_MAX, presence};
pub use server::{Reply, Welcome, error, reconnect, reply, welcome};

/// The name of the subprotocol in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "ringway.v1.json";
