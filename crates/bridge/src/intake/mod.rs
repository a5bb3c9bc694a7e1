//! Messages in: deliveries of a queue become messages for clients.
//!
//! `order` reads a delivery, `lanes` decides when it goes, `verdict` what becomes of it; `consume` and `carry` carry that out.
//! The law: a delivery is acknowledged only after the cluster has taken it, or after a dead-letter exchange has. A delivery that is
//! tried again stays unacknowledged and keeps those of the same target behind it waiting, so that order holds; what bounds that is
//! `prefetch` and `attempts_max`. (A queue for retries would be emptier, and would let later messages overtake.)

mod carry;
mod consume;
mod dead;
mod lanes;
mod order;
mod verdict;

pub(crate) use consume::Intake;
pub use dead::{ATTEMPTS_HEADER, DETAIL_HEADER, QUEUE_HEADER, REASON_HEADER};
pub use order::{GUARANTEE_HEADER, TARGET_HEADER, TOPIC_HEADER};
pub use verdict::{Guarantee, OnOffline};
