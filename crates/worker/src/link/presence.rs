//! Clients that watch users' presence.

use ringway_session::frame::{self, FrameError};
use ringway_session::{Address, UserId};

use crate::worker::Shared;

/// The client at an address wants to watch these users.
///
/// # Errors
/// Why it does not.
pub(super) fn watch(shared: &Shared, address: Address, users: &[UserId]) -> Result<(), FrameError> {
    if !may_watch(shared) {
        return Err(FrameError::NotPermitted("watching users"));
    }
    // One that has ended meanwhile hears nothing anyway.
    shared.hub.watch(address, users)?;
    Ok(())
}

/// Says that it is done, if the client has a name for it.
pub(super) fn reply(shared: &Shared, address: Address, reference: Option<&str>) {
    if let Some(reference) = reference {
        shared.hub.send_aside(address, frame::reply(reference));
    }
}

/// Whether clients may watch users.
fn may_watch(shared: &Shared) -> bool {
    shared.config.clients_watch
}
