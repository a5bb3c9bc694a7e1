//! Who may call: whoever shows a key. Without keys, only those on this machine who mean this server.

use http::HeaderMap;
use ringway_auth::{bearer, is_for_this_machine};

use crate::keys::KeysHandle;
use crate::refusal::Refusal;

/// What a caller must show.
#[derive(Clone, Debug)]
pub enum Access {
    /// One of these keys, as `Authorization: Bearer KEY`.
    Keys(KeysHandle),
    /// Nothing; only for listeners at loopback addresses, for those who try things. A page in somebody's browser is also on this
    /// machine: it cannot send JSON to other sites unasked, and if its own name leads to this address (DNS rebinding) the
    /// header `Host` tells, so that has to name the loopback itself.
    Loopback,
}

impl Access {
    /// The name of the caller's key; empty where none is asked for.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        match self {
            Access::Keys(keys) => {
                let shown = bearer(headers).ok_or(Refusal::KeyMissing)?;
                let keys = keys.current();
                keys.name_of(shown).map(str::to_owned).ok_or(Refusal::KeyUnknown)
            }
            Access::Loopback if is_for_this_machine(headers) => Ok(String::new()),
            Access::Loopback => Err(Refusal::HostForeign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_key_is_asked_for_in_one_place() {
        let access = Access::Keys(KeysHandle::new(Keys::parse("shop = 0123456789abcdef").unwrap()));
        let cases = [
            ("Bearer 0123456789abcdef", Ok("shop")),
            ("bearer  0123456789abcdef ", Ok("shop")),
            ("Bearer 0123456789abcdeF", Err("UNAUTHENTICATED")),
            ("Bearer ", Err("UNAUTHENTICATED")),
            ("Basic 0123456789abcdef", Err("UNAUTHENTICATED")),
            ("0123456789abcdef", Err("UNAUTHENTICATED")),
            ("B", Err("UNAUTHENTICATED")),
        ];
        for (value, expected) in cases {
            let got = access.check(&headers(&[("authorization", value)]));
            assert_eq!(got.as_deref().map_err(|refusal| refusal.reason()), expected, "{value}");
        }
        let key = ("authorization", "Bearer 0123456789abcdef");
        assert!(matches!(access.check(&headers(&[key, key])), Err(Refusal::KeyMissing)));
        assert!(matches!(access.check(&headers(&[])), Err(Refusal::KeyMissing)));
    }

    #[test]
    fn without_keys_the_host_must_be_this_machine() {
        for (host, expected) in [("127.0.0.1:8090", true), ("evil.example:8090", false)] {
            assert_eq!(Access::Loopback.check(&headers(&[("host", host)])).is_ok(), expected, "{host}");
        }
    }
}
