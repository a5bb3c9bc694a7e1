//! Links: streams between this gateway and the workers, each shared by thousands of sessions (link.proto).
//!
//! [`links::Links`] keeps a few links to each worker of the view, one [`task::LinkTask`] for each. A link that is up is a
//! [`Link`]: a table of channels, one for a session, and a queue of what is to be said. A session is a [`Seat`]: the
//! [`outbound::Outbound`] queue to its client, which stays, and its place on a link, which may change. What a worker says
//! goes from the link's task straight into these queues; the client's task holds its session by a [`Channel`].

mod channel;
mod connector;
mod links;
mod outbound;
mod owed;
mod post;
mod queue;
mod seat;
mod table;
mod task;
#[cfg(test)]
mod testing;

pub use connector::{GatewayStream, Grpc, InProcess, LinkConnector, WorkerStream};

pub(crate) use channel::Channel;
pub(crate) use links::{Links, Setup};
pub(crate) use outbound::{End, cost_bytes};
pub(crate) use queue::WaitingSince;
pub(crate) use seat::Seat;
pub(crate) use table::{Answer, Link};
