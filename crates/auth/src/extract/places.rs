//! One function per place where a token may stand: is it there, and which bytes, decoded?

use http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderValue, Uri};

use super::text;

/// What stands at a place: decoded bytes, not yet known to be text.
pub(super) struct Found(pub(super) Vec<u8>);

/// The value of the first query parameter called `name`; a parameter without `=` has the empty value.
pub(super) fn query(uri: &Uri, name: &str) -> Option<Found> {
    let pairs = uri.query()?.as_bytes().split(|&byte| byte == b'&');
    pairs.map(|pair| split_at_first(pair, b'=')).find_map(|(key, value)| {
        (text::form_decode(key) == name.as_bytes()).then(|| Found(text::form_decode(value)))
    })
}

/// The credentials of the first `Authorization` header whose scheme is `Bearer` (in any case, RFC 9110
/// section 11.1). Other schemes are none of our business: they count as absent.
pub(super) fn bearer(headers: &HeaderMap) -> Option<Found> {
    headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes).find_map(|value| {
        let (scheme, credentials) = split_at_first(value.trim_ascii(), b' ');
        scheme.eq_ignore_ascii_case(b"bearer").then(|| Found(credentials.trim_ascii().to_vec()))
    })
}

/// What follows `prefix` in the first offered subprotocol that starts with it.
pub(super) fn subprotocol(headers: &HeaderMap, prefix: &str) -> Option<Found> {
    offered(headers).find_map(|entry| Some(Found(text::decode(entry.strip_prefix(prefix.as_bytes())?))))
}

/// Every offered subprotocol that is an HTTP token, in the client's order.
pub(super) fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = String> {
    offered(headers)
        .filter(|entry| text::is_http_token(entry))
        .map(|entry| String::from_utf8_lossy(entry).into_owned())
}

/// The value of the first cookie called `name`, without the quotes it may stand in (RFC 6265 section 4.1.1).
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<Found> {
    let headers = headers.get_all(COOKIE).iter();
    let pairs = headers.flat_map(|value| value.as_bytes().split(|&byte| byte == b';'));
    pairs.map(|pair| split_at_first(pair.trim_ascii(), b'=')).find_map(|(key, value)| {
        (key.trim_ascii() == name.as_bytes()).then(|| Found(text::decode(unquoted(value.trim_ascii()))))
    })
}

fn offered(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
}

fn split_at_first(bytes: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == separator) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}
