//! Messages on their way: when they are due, what is written in them, what arrived and what the sender was told.

mod answers;
mod arrivals;
mod latency;
mod ledger;
mod pump;
mod schedule;
mod stamp;
mod tally;
mod ticks;

pub(crate) use arrivals::{Arrivals, Flaws};
pub(crate) use latency::{Latency, Recorded};
pub use pump::{Addressees, Cargo, Manner, Pace};
pub(crate) use pump::{Lines, Pump};
pub(crate) use schedule::Schedule;
pub use stamp::STAMP_BYTES;
pub(crate) use stamp::{Phase, Stamp, Stream};
pub(crate) use tally::{Tally, Told};
pub(crate) use ticks::Ticks;
