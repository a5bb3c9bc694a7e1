//! What a message carries: when it was sent, in which window, and its number among those for its user.

use std::time::Duration;

use crate::stage::Window;

/// The size of a payload: that of a short chat message.
const BYTES: usize = 100;

/// The content of a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note {
    pub(crate) window: Window,
    pub(crate) number: u32,
    /// Since the beginning of the stage.
    pub(crate) sent: Duration,
}

impl Note {
    pub(crate) fn payload(self) -> Vec<u8> {
        let mut bytes = vec![0; BYTES];
        bytes[0] = self.window as u8;
        bytes[1..5].copy_from_slice(&self.number.to_be_bytes());
        let nanos = u64::try_from(self.sent.as_nanos()).expect("less than 500 years");
        bytes[5..13].copy_from_slice(&nanos.to_be_bytes());
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), BYTES, "a message that nobody sent: {bytes:?}");
        let number = bytes[1..5].try_into().expect("4 bytes");
        let nanos = bytes[5..13].try_into().expect("8 bytes");
        Self {
            window: Window::of(bytes[0]),
            number: u32::from_be_bytes(number),
            sent: Duration::from_nanos(u64::from_be_bytes(nanos)),
        }
    }
}
