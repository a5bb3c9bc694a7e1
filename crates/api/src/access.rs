//! Who may call: whoever shows a key. Without keys, only those on this machine who mean this server.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST};
use http::uri::Authority;

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
                let shown = bearer(headers)?;
                let keys = keys.current();
                keys.name_of(shown).map(str::to_owned).ok_or(Refusal::KeyUnknown)
            }
            Access::Loopback if is_meant(headers) => Ok(String::new()),
            Access::Loopback => Err(Refusal::HostForeign),
        }
    }
}

/// The credential in the header (RFC 6750 section 2.1). The scheme's case does not count (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next().ok_or(Refusal::KeyMissing)?, values.next()) else {
        return Err(Refusal::KeyMissing);
    };
    let (scheme, key) = value.as_bytes().split_at_checked("Bearer ".len()).ok_or(Refusal::KeyMissing)?;
    match scheme.eq_ignore_ascii_case(b"Bearer ") {
        true => Ok(key.trim_ascii()),
        false => Err(Refusal::KeyMissing),
    }
}

fn is_meant(headers: &HeaderMap) -> bool {
    let authority = headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    authority.is_some_and(|authority| {
        let host = authority.host();
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
    })
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
        let cases = [
            (Some("127.0.0.1:8090"), true),
            (Some("127.0.0.9"), true),
            (Some("localhost:8090"), true),
            (Some("LOCALHOST"), true),
            (Some("[::1]:8090"), true),
            (Some("evil.example:8090"), false),
            (Some("127.0.0.1.evil.example"), false),
            (Some("10.0.0.1:8090"), false),
            (Some("["), false),
            (Some(""), false),
            (None, false),
        ];
        for (host, expected) in cases {
            let given: Vec<_> = host.into_iter().map(|host| ("host", host)).collect();
            assert_eq!(Access::Loopback.check(&headers(&given)).is_ok(), expected, "{host:?}");
        }
    }
}
