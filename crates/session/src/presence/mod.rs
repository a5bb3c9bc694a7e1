//! Who is online, and who is told: pure, both ends of it.
//!
//! The owner of a user knows whether the user is online ([`Standing`]). Its half is [`Announcements`]: the streams over which
//! others watch its users, and what is to be said on each. The other half is [`Watching`]: for many watched users, whom to
//! ask, and what changes follow from the answers.
//!
//! The laws:
//! - A user is told to be offline only by an owner that is sure of it: nobody holds a session of the user, or is about to
//!   bring one.
//! - A change is told once, however many sessions the user has, and whatever the ring does meanwhile. What was told last
//!   decides.
//! - Nothing is missed: whoever begins to watch is told the present state first.

mod announcements;
mod line;
mod standing;
#[cfg(test)]
mod tests;
mod watching;

pub use announcements::{Announcements, Said, WatchId};
pub use standing::Standing;
pub use watching::{Answer, Asking, News, Scope, Watching};
