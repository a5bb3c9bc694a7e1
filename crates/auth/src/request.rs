//! What a request that is no handshake shows of its caller: a credential in its head, and by which name it came here.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, HOST};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The credential in the header `Authorization` (RFC 6750 section 2.1). The scheme's case does not count (RFC 9110 section 11.1).
/// Nothing where the header stands twice: no two readers shall take different ones.
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, credential) = only(headers, &AUTHORIZATION)?.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| credential.trim_ascii())
}

/// Whether the request came by a name that leads nowhere but to the machine that it was sent from: `localhost` or a loopback
/// address in `Host`. A page's own name can be made to lead here (DNS rebinding), but then stands in this header.
pub fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let authority = only(headers, &HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    authority.is_some_and(|authority| {
        let host = authority.host();
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
    })
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_credential_stands_in_one_place() {
        let cases: [(&[&str], Option<&str>); 9] = [
            (&["Bearer 0123"], Some("0123")),
            (&["bearer  0123 "], Some("0123")),
            (&["Bearer "], Some("")),
            (&["Bearer"], None),
            (&["Basic 0123"], None),
            (&["0123"], None),
            (&[""], None),
            (&[], None),
            (&["Bearer 0123", "Bearer 0123"], None),
        ];
        for (values, expected) in cases {
            let got = bearer(&headers(&AUTHORIZATION, values)).map(<[u8]>::to_vec);
            assert_eq!(got.as_deref(), expected.map(str::as_bytes), "{values:?}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_for_this_machine() {
        let cases: [(&[&str], bool); 15] = [
            (&["127.0.0.1:8090"], true),
            (&["127.0.0.9"], true),
            (&["localhost:8090"], true),
            (&["LOCALHOST"], true),
            (&["[::1]:8090"], true),
            (&["evil.example:8090"], false),
            (&["127.0.0.1.evil.example"], false),
            (&["localhost.evil.example"], false),
            (&["10.0.0.1:8090"], false),
            (&["0.0.0.0"], false),
            (&["["], false),
            (&[""], false),
            (&[], false),
            (&["localhost", "evil.example"], false),
            (&["localhost", "localhost"], false),
        ];
        for (values, expected) in cases {
            assert_eq!(is_for_this_machine(&headers(&HOST, values)), expected, "{values:?}");
        }
    }
}
