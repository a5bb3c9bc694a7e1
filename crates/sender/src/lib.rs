//! The back end's library: sends messages straight to the worker that holds the user, in one call, and tells what
//! became of them.
//!
//! ```no_run
//! use ringway_sender::{ClusterSecret, Outcome, Sender, SenderConfig};
//! use serde_json::json;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = ClusterSecret::new(&std::env::var("RINGWAY_CLUSTER_SECRET")?)?;
//! let sender = Sender::connect(SenderConfig::new(["http://10.0.0.1:7070".parse()?], secret)).await?;
//!
//! // One RPC to the one worker that holds all of alice's sessions: its answer is authoritative.
//! let receipt = sender.send_to_user("alice", json!({ "text": "hello" })).topic("chat").await?;
//! match receipt.outcome {
//!     Outcome::Delivered => println!("on its way to {} sessions", receipt.sessions),
//!     Outcome::NoSession => println!("alice is not connected"),
//!     Outcome::Overflowed => println!("alice is connected, but too slow to take it"),
//!     Outcome::Suspended => println!("alice's connection has just broken: it waits for her to come back"),
//!     Outcome::Stored => println!("it is in alice's mailbox"),
//! }
//!
//! // Where the cluster keeps mailboxes: stored before the answer, and sent until alice's devices have acknowledged it.
//! let receipt = sender.send_to_user("alice", json!({ "invoice": 17 })).at_least_once().await?;
//! assert!(receipt.stored_offset.is_some());
//!
//! // Many messages: publish does not wait for each answer.
//! let mut tickets = Vec::new();
//! for n in 0..1000 {
//!     tickets.push(sender.send_to_group("room7", format!("line {n}")).publish().await?);
//! }
//! for ticket in tickets {
//!     ticket.await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Who is online:
//!
//! ```no_run
//! # async fn example(sender: ringway_sender::Sender) -> Result<(), Box<dyn std::error::Error>> {
//! use ringway_sender::UserId;
//!
//! let report = sender.presence().get(["alice", "bob"]).await?;
//! println!("alice: {:?}", report.online("alice"));
//!
//! let watch = sender.presence().watch(&[UserId::new("alice")?]);
//! loop {
//!     for (user, online) in watch.next().await.changes {
//!         println!("{user} is {}", if online { "online" } else { "offline" });
//!     }
//! }
//! # }
//! ```
//!
//! # What is promised
//! - A message is sent again only if it surely was not delivered, with the same message id, inside its deadline. What may
//!   have been delivered is sent again only if the caller asks for it ([`SendCall::retry_ambiguous`]).
//! - [`SendError::maybe_delivered`] tells whether a failed message may have arrived after all.
//! - A message that is sent [at least once](SendCall::at_least_once) is known by its id, and so is sent again inside its deadline
//!   whatever happened to it: it is stored once.
//! - Order: a message whose send was awaited is taken before one that is sent afterwards. For messages that are under
//!   way together, see [`SendCall::publish`].
//!
//! # Metrics
//! `ringway_sender_sends_total{target,outcome}`, `ringway_sender_send_seconds{target}` (a histogram over all attempts of
//! a message), `ringway_sender_retries_total{reason}`.

mod config;
mod error;
mod measure;
mod message;
mod presence;
mod publish;
mod receipt;
mod retry;
mod send;
mod sender;
mod sessions;

pub use config::{RetryConfig, SenderConfig};
pub use error::{ConnectError, SendError};
pub use message::{JsonError, Payload};
pub use presence::{PresenceCalls, PresenceNews, PresenceReport, PresenceWatch};
pub use publish::{PublishConfig, Ticket};
pub use receipt::{Outcome, Receipt};
pub use ringway_dispatch::SessionTarget;
pub use ringway_proto::v1::{Session, UserPresence};
pub use ringway_proto::{Reason, Refusal};
pub use ringway_ring::RingVersion;
pub use ringway_rpc::{ClusterSecret, NodeUrl, NodeUrlError, PoolConfig, PublisherConfig, SecretError};
pub use ringway_session::{CloseCode, GroupId, NameError, SessionId, UserId};
pub use send::SendCall;
pub use sender::Sender;
pub use sessions::{SessionFilter, SessionList};
