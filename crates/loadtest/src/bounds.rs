//! Whom a test may load: this machine, unless somebody says that another one is meant.

use std::net::SocketAddr;

/// Whether machines may be loaded that are not this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Only this one.
    #[default]
    Loopback,
    /// Others, too: somebody has said so.
    Anywhere,
}

/// A test would load another machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not on this machine: whoever runs it may not want a load test. If you are sure, say so with --allow-remote"
)]
pub struct Remote(String);

impl Reach {
    /// By the flag `--allow-remote`.
    pub fn of(allow_remote: bool) -> Self {
        if allow_remote { Self::Anywhere } else { Self::Loopback }
    }

    /// Whether an address may be loaded; `what` it is, for the complaint.
    ///
    /// # Errors
    /// When it may not.
    pub fn check(self, what: &str, address: SocketAddr) -> Result<(), Remote> {
        let is_allowed = self == Self::Anywhere || address.ip().to_canonical().is_loopback();
        if is_allowed { Ok(()) } else { Err(Remote(format!("{what} ({address})"))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_loaded_only_when_somebody_says_so() {
        for (address, is_here) in [
            ("127.0.0.1:80", true),
            ("127.9.9.9:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("10.0.0.1:80", false),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("[::ffff:10.0.0.1]:80", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(Reach::of(false).check("the URL", address).is_ok(), is_here, "{address}");
            assert_eq!(Reach::of(true).check("the URL", address), Ok(()), "{address}");
        }
    }
}
