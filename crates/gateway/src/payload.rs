//! What a message's payload holds on to while it waits.
//!
//! Payloads come as slices of the buffer they were received in, and a slice keeps all of it. So what is small gets memory
//! of its own before it waits; what is large is worth its buffer.

use bytes::Bytes;

/// Payloads up to this length are copied: that costs about as much as handing them on.
const COPIED_BYTES_MAX: usize = 4096;

/// The same payload, free of its buffer if it is small. To be called once for a message, not for each receiver.
pub(crate) fn detached(payload: Bytes) -> Bytes {
    if payload.len() <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&payload) } else { payload }
}
