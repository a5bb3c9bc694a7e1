//! The opening handshake from the client's side (RFC 6455 section 4.1), pure: the request's text, and what an answer says.
//!
//! What comes behind the answer in the same read is not lost: [`Answer::length`] tells where it begins.

use tungstenite::handshake::derive_accept_key;

/// The longest head of an answer.
pub(crate) const HEAD_BYTES_MAX: usize = 8 * 1024;

/// The subprotocol of numbered messages.
pub(crate) const V1: &str = "ringway.v1.json";

/// The request for a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    /// The header `Host`.
    pub(crate) host: &'a str,
    /// Path and query, encoded.
    pub(crate) target: &'a str,
    /// The subprotocol to offer.
    pub(crate) subprotocol: Option<&'a str>,
    /// Sixteen bytes in base64, different for each socket.
    pub(crate) key: &'a str,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// How many bytes the head is long.
    pub(crate) length: usize,
    accept: Option<String>,
    subprotocol: Option<String>,
}

/// Why bytes are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerError {
    /// Not HTTP/1.1.
    #[error("the answer is no HTTP/1.1")]
    NotHttp,
    /// The head does not end.
    #[error("the head of the answer does not end")]
    TooLong,
    /// The header `Sec-WebSocket-Accept` is not there or wrong.
    #[error("the answer does not accept the key")]
    WrongAccept,
    /// Not the subprotocol that was offered.
    #[error("the server does not speak ringway.v1.json")]
    WrongSubprotocol,
}

impl Request<'_> {
    /// The request as it is sent.
    pub(crate) fn text(&self) -> String {
        let Self { host, target, subprotocol, key } = self;
        let offer = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
        format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{offer}\r\n"
        )
    }
}

impl Answer {
    /// Reads the head, when all of it is there.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, AnswerError> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if bytes.len() < HEAD_BYTES_MAX { Ok(None) } else { Err(AnswerError::TooLong) };
        };
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
        let status = status.and_then(|line| line.get(..3)?.parse().ok()).ok_or(AnswerError::NotHttp)?;
        let mut answer = Self { status, length: end + 4, accept: None, subprotocol: None };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("sec-websocket-accept") {
                answer.accept = Some(value.trim().to_owned());
            } else if name.eq_ignore_ascii_case("sec-websocket-protocol") {
                answer.subprotocol = Some(value.trim().to_owned());
            }
        }
        Ok(Some(answer))
    }

    /// Whether a socket is open now as it was asked for. Of an answer with the status 101.
    pub(crate) fn check(&self, request: &Request<'_>) -> Result<(), AnswerError> {
        if self.accept.as_deref() != Some(derive_accept_key(request.key.as_bytes()).as_str()) {
            return Err(AnswerError::WrongAccept);
        }
        if self.subprotocol.as_deref() != request.subprotocol {
            return Err(AnswerError::WrongSubprotocol);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Key and its answer from RFC 6455 section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    fn request(subprotocol: Option<&'static str>) -> Request<'static> {
        Request { host: "127.0.0.1:8080", target: "/ws?token=a", subprotocol, key: KEY }
    }

    #[test]
    fn a_request_is_complete() {
        let text = request(Some(V1)).text();
        assert!(text.starts_with("GET /ws?token=a HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"), "{text}");
        assert!(text.ends_with("Sec-WebSocket-Protocol: ringway.v1.json\r\n\r\n"), "{text}");
        assert!(!request(None).text().contains("Protocol"));
    }

    #[test]
    fn an_answer_is_read_when_it_is_all_there() {
        let text = format!("HTTP/1.1 101 Switching Protocols\r\n{ACCEPT}upgrade: websocket\r\n\r\n\x03rest");
        let head = text.len() - "\x03rest".len();
        for cut in 0..head {
            assert_eq!(Answer::read(&text.as_bytes()[..cut]), Ok(None), "at {cut}");
        }
        let answer = Answer::read(text.as_bytes()).unwrap().unwrap();
        assert_eq!((answer.status, answer.length), (101, head));
        assert_eq!(answer.check(&request(None)), Ok(()));
        assert_eq!(answer.check(&request(Some(V1))), Err(AnswerError::WrongSubprotocol));
    }

    #[test]
    fn other_answers_are_told_apart() {
        let status =
            |text: &str| Answer::read(text.as_bytes()).map(|answer| answer.map(|answer| answer.status));
        assert_eq!(status("HTTP/1.1 401 Unauthorized\r\n\r\n{}"), Ok(Some(401)));
        assert_eq!(status("SSH-2.0\r\n\r\n"), Err(AnswerError::NotHttp));
        assert_eq!(status(&"x".repeat(HEAD_BYTES_MAX)), Err(AnswerError::TooLong));
        let other = Answer::read(b"HTTP/1.1 101 ok\r\nsec-websocket-accept: x\r\n\r\n").unwrap().unwrap();
        assert_eq!(other.check(&request(None)), Err(AnswerError::WrongAccept));
    }
}
