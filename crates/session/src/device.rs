//! The names of a user's devices.

use std::fmt;
use std::sync::Arc;

/// The longest name of a device, in bytes.
const DEVICE_ID_BYTES_MAX: usize = 128;

/// One of a user's devices, which has a position of its own in the user's mailbox. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(Arc<str>);

/// A text that is no device's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a device's name is 1 to 128 bytes of UTF-8 without control characters")]
pub struct DeviceIdError;

impl DeviceId {
    /// Checks a name.
    ///
    /// # Errors
    /// [`DeviceIdError`] unless it is 1 to 128 bytes of UTF-8 without control characters.
    pub fn new(text: &str) -> Result<Self, DeviceIdError> {
        let fits = (1..=DEVICE_ID_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
        if fits { Ok(Self(text.into())) } else { Err(DeviceIdError) }
    }

    /// The name as it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices_are_checked() {
        for (text, good) in [("phone", true), ("ü 😀", true), ("", false), ("a\nb", false)] {
            assert_eq!(DeviceId::new(text).is_ok(), good, "{text:?}");
        }
        assert!(DeviceId::new(&"x".repeat(128)).is_ok());
        assert!(DeviceId::new(&"x".repeat(129)).is_err());
    }
}
