//! States that come in pieces, until the Open that they belong to.

use bytes::{Bytes, BytesMut};
use rustc_hash::FxHashMap;
use tracing::warn;

/// The pieces of one link.
pub(super) struct StateParts {
    by_channel: FxHashMap<u64, BytesMut>,
    /// How large one state may be; a larger one is cut, and so refused for its signature.
    bytes_max: usize,
}

impl StateParts {
    pub(super) fn new(bytes_max: usize) -> Self {
        StateParts { by_channel: FxHashMap::default(), bytes_max }
    }

    pub(super) fn add(&mut self, channel: u64, part: &Bytes) {
        let parts = self.by_channel.entry(channel).or_default();
        if parts.len() + part.len() > self.bytes_max {
            warn!(channel, bytes_max = self.bytes_max, "a session's state is too large: it will be refused");
            return;
        }
        parts.extend_from_slice(part);
    }

    /// Puts the pieces before the last one.
    pub(super) fn complete(&mut self, channel: u64, last: &mut Bytes) {
        if let Some(mut parts) = self.by_channel.remove(&channel) {
            parts.extend_from_slice(last);
            *last = parts.freeze();
        }
    }

    pub(super) fn forget(&mut self, channel: u64) {
        self.by_channel.remove(&channel);
    }
}
