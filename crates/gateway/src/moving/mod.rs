//! Sessions on their way from one worker to another.
//!
//! A session sets off when its worker wants it to move, when the worker has left the view, or when the link to it broke.
//! From then on it is on the lists of [`Moves`] until it is open again or over, and the [`MoverTask`] asks the owner by the
//! present view for a place: first come, first served, so many at a time. What can be said to whom at each moment is
//! decided by the session's relay (`link::Seat`), not here.

mod evict;
mod mover;
mod moves;
mod trip;

pub(crate) use evict::evict;
pub(crate) use mover::MoverTask;
pub(crate) use moves::{Moves, Slot};
pub(crate) use trip::{Outcome, Trip};
