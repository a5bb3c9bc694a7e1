//! What clients send to the back end.

use ringway_session::Speaker;
use ringway_session::frame::{ClientEvent, FrameError};

use crate::worker::Shared;

/// Hands an event of a client that may send it to whoever takes events for the back end.
///
/// # Errors
/// Why nobody takes it.
pub(super) fn emit(_shared: &Shared, _speaker: &Speaker, _event: ClientEvent) -> Result<(), FrameError> {
    let nobody = "nobody takes events here: configure a bridge, webhook or subscriber";
    Err(FrameError::Unavailable(nobody.to_owned()))
}
