//! Events: what happens to this worker's sessions and what their clients say, for back ends that want to know.
//!
//! Whoever wants events subscribes by a name. What a subscriber has not acknowledged is kept, also while it is away, within
//! bounds of bytes, number and time; beyond them the oldest go, and the subscriber is told how many. So an event comes at least once or
//! is counted as missed. Without a subscription an event costs one load.
//!
//! [`EventHub::tell`] never waits, for it is called under the lock of the sessions: so events stand in the order in which
//! the sessions changed. Clients' messages can wait for room before they come to it ([`EventHub::room`]), and
//! whoever passes one on can wait for its acknowledgement ([`EventHub::client_message`]).

mod buffer;
mod config;
mod hub;
mod metrics;
mod offer;
mod service;
mod subscription;
mod tell;

pub use config::EventsConfig;
pub(crate) use hub::EventHub;
pub use hub::{Subscribe, SubscribeError};
pub(crate) use offer::{Offered, Receipt, Received};
pub(crate) use service::EventsService;
pub use subscription::Subscription;
