//! Links: streams between this gateway and the workers, each shared by thousands of sessions (link.proto).
//!
//! [`links::Links`] keeps a few links to each worker of the view, one [`task::LinkTask`] for each. A link that is up is a
//! [`Link`]: a table of [`Channel`]s, one for a session, and a queue of what is to be said. What a worker says goes from
//! the link's task straight into the clients' [`outbound::Outbound`] queues.

mod channel;
mod connector;
mod links;
mod lost;
mod outbound;
mod queue;
mod task;

pub use connector::{GatewayStream, Grpc, InProcess, LinkConnector, WorkerStream};

#[cfg(test)]
pub(crate) use channel::Link;
pub(crate) use channel::{Answer, Channel};
pub(crate) use links::{Links, Setup};
pub(crate) use outbound::{End, Outbound, cost_bytes};
pub(crate) use queue::WaitingSince;
