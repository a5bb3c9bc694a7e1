//! Clients that watch users' presence.

use ringway_session::frame::FrameError;
use ringway_session::{Address, Speaker, UserId};

use crate::worker::Shared;

/// The client at an address wants to watch these users: all of them, or none.
///
/// # Errors
/// Why it does not.
pub(super) fn watch(
    shared: &Shared,
    address: Address,
    speaker: &Speaker,
    users: &[UserId],
) -> Result<(), FrameError> {
    if let Some(user) = users.iter().find(|user| !speaker.permissions.may_watch(user)) {
        return Err(FrameError::NotPermitted(format!("watch the user {:?}", user.as_str())));
    }
    // One that has ended meanwhile hears nothing anyway.
    shared.hub.watch(address, users)?;
    Ok(())
}
