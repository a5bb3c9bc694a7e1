//! What becomes of the sessions of a link that broke.
//!
//! Their worker may be gone or out of reach; either way it has forgotten them. Each client is told to reconnect now
//! (1012), and the ring leads it to the worker that owns its user then. This is the one place that decides so.

use std::sync::Arc;

use ringway_session::CloseCode;

use super::outbound::{End, Outbound};

/// Ends the sessions of a broken link.
pub(crate) fn end_sessions(sessions: &[Arc<Outbound>]) {
    for outbound in sessions {
        outbound.end(End::new(CloseCode::RESTART, "the session's worker is gone, reconnect now"));
    }
}
