//! A worker: holds the sessions of the users it owns, and answers what is sent to them.
//!
//! A [`Worker`] serves three sides. Gateways attach by links (over gRPC, or within the process by [`Worker::attach`])
//! and open sessions on them. Senders call `Delivery` and `Sessions`: the fence decides whether a call is carried out
//! here, forwarded once, or refused. Other workers report which groups they have members of, and carry out the last
//! step of a group's message.
//!
//! The law: what this worker does for a user it does only while it owns the user by its own view, and everything it
//! holds can be rebuilt from what clients and gateways bring.

mod clock;
mod config;
mod convert;
mod delivery;
mod events;
mod fence;
mod hub;
mod interest;
mod link;
mod mailbox;
mod metrics;
mod moving;
mod peer;
mod presence;
mod seal;
mod sessions;
mod worker;

pub use config::{ClientBounds, OnClientMessage, WorkerConfig};
pub use events::{EventsConfig, Subscribe, SubscribeError, Subscription};
pub use mailbox::Mailboxes;
pub use worker::Worker;
