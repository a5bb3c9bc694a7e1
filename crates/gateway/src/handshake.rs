//! The opening handshake of a WebSocket, the server's half: RFC 6455 section 4.2.
//!
//! Pure: a request's head goes in, and out comes the key to be answered, or why this is no handshake.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use tungstenite::handshake::derive_accept_key;

use crate::http::Body;
use crate::refusal::Refusal;

/// A request that is a proper opening handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    accept: String,
}

impl Handshake {
    /// Checks a request's head, as section 4.2.1 wants it.
    pub(crate) fn check<B>(request: &http::Request<B>) -> Result<Self, Refusal> {
        let headers = request.headers();
        if request.method() != Method::GET {
            return Err(Refusal::MethodNotAllowed(request.method().to_string()));
        }
        if request.version() < Version::HTTP_11 {
            return Err(Refusal::HttpTooOld);
        }
        if only(headers, &HOST).is_none_or(<[u8]>::is_empty) {
            return Err(Refusal::HostInvalid);
        }
        if !names(headers, &UPGRADE, "websocket") {
            return Err(Refusal::UpgradeRequired);
        }
        if !names(headers, &CONNECTION, "upgrade") {
            return Err(Refusal::ConnectionNotUpgrade);
        }
        if only(headers, &SEC_WEBSOCKET_VERSION) != Some(b"13") {
            return Err(Refusal::VersionNotSupported);
        }
        if has_body(headers) {
            return Err(Refusal::BodyNotAllowed);
        }
        let key = only(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(Refusal::KeyInvalid)?;
        Ok(Self { accept: derive_accept_key(key) })
    }

    /// The answer that opens the socket, as section 4.2.2 wants it. An empty subprotocol is none.
    pub(crate) fn accept(self, subprotocol: &str) -> Result<Response<Body>, Refusal> {
        let invalid =
            |_| Refusal::Internal("the worker chose a subprotocol that cannot stand in a header".to_owned());
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::try_from(self.accept).map_err(invalid)?);
        if !subprotocol.is_empty() {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(subprotocol).map_err(invalid)?);
        }
        Ok(response)
    }
}

/// Whether a comma-separated header has this entry, in any case.
fn names(headers: &HeaderMap, name: &HeaderName, entry: &str) -> bool {
    let entries = headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    entries.map(<[u8]>::trim_ascii).any(|found| found.eq_ignore_ascii_case(entry.as_bytes()))
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes().trim_ascii())
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| length.as_bytes().trim_ascii() != b"0")
}

/// 16 bytes in base64: 22 digits and two signs of padding.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn request(changes: &[(&str, Option<&str>)]) -> http::Request<()> {
        let mut headers = vec![
            ("host", "ringway.test"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        headers.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        headers.extend(changes.iter().filter_map(|(name, value)| Some((*name, (*value)?))));
        let mut request = http::Request::get("/ws");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(()).expect("a request")
    }

    fn check(changes: &[(&str, Option<&str>)], expected: Result<(), &str>) {
        let outcome = Handshake::check(&request(changes)).map(|_| ()).map_err(|refusal| refusal.reason());
        assert_eq!(outcome, expected, "{changes:?}");
    }

    #[test]
    fn heads() {
        check(&[], Ok(()));
        check(&[("upgrade", Some("h2c, WebSocket"))], Ok(()));
        check(&[("connection", Some("keep-alive, upgrade"))], Ok(()));
        check(&[("content-length", Some("0"))], Ok(()));
        check(&[("host", None)], Err("host_invalid"));
        check(&[("host", Some(""))], Err("host_invalid"));
        check(&[("host", Some("a")), ("host", Some("b"))], Err("host_invalid"));
        check(&[("upgrade", None)], Err("upgrade_required"));
        check(&[("upgrade", Some("h2c"))], Err("upgrade_required"));
        check(&[("connection", None)], Err("connection_not_upgrade"));
        check(&[("connection", Some("close"))], Err("connection_not_upgrade"));
        check(&[("sec-websocket-version", None)], Err("version_not_supported"));
        check(&[("sec-websocket-version", Some("8"))], Err("version_not_supported"));
        check(&[("sec-websocket-key", None)], Err("key_invalid"));
        check(&[("sec-websocket-key", Some("short"))], Err("key_invalid"));
        check(&[("sec-websocket-key", Some("!GhlIHNhbXBsZSBub25jZQ=="))], Err("key_invalid"));
        check(&[("sec-websocket-key", Some(KEY)), ("sec-websocket-key", Some(KEY))], Err("key_invalid"));
        check(&[("content-length", Some("3"))], Err("body_not_allowed"));
        check(&[("transfer-encoding", Some("chunked"))], Err("body_not_allowed"));
    }

    #[test]
    fn other_methods_and_versions() {
        let mut post = request(&[]);
        *post.method_mut() = Method::POST;
        assert_eq!(Handshake::check(&post).expect_err("POST").reason(), "method_not_allowed");
        let mut old = request(&[]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(Handshake::check(&old).expect_err("HTTP/1.0").reason(), "http_too_old");
    }

    #[test]
    fn the_answer_is_that_of_the_specification() {
        // The example of RFC 6455 section 1.3.
        let handshake = Handshake::check(&request(&[])).expect("a handshake");
        let response = handshake.accept("chat").expect("an answer");
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "chat");
    }

    #[test]
    fn no_subprotocol_no_header_and_no_injection() {
        let handshake = Handshake::check(&request(&[])).expect("a handshake");
        let response = handshake.clone().accept("").expect("an answer");
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
        assert_eq!(handshake.accept("a\r\nb").expect_err("no header").reason(), "internal");
    }
}
