//! Telling what happens on a connection, to people or to programs.

mod resuming;

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::exit::Ending;
use crate::output::{self, Form};

/// How many bytes of a binary message are shown to people.
const BYTES_SHOWN: usize = 64;

/// Tells events.
#[derive(Clone, Copy)]
pub(super) struct Events(pub(super) Form);

impl Events {
    /// The socket is open.
    pub(super) fn opened(self, url: &str, subprotocol: Option<&str>) -> anyhow::Result<()> {
        let with = subprotocol.map(|name| format!(", subprotocol {name}")).unwrap_or_default();
        self.tell(
            &json!({ "event": "open", "subprotocol": subprotocol }),
            &format!("connected to {url}{with}"),
        )
    }

    /// A text message came.
    pub(super) fn text(self, text: &str) -> anyhow::Result<()> {
        match self.0 {
            Form::Human => output::line(text),
            Form::Json => output::json(&json!({ "event": "message", "kind": "text", "data": text })),
        }
    }

    /// A binary message came.
    pub(super) fn binary(self, bytes: &[u8]) -> anyhow::Result<()> {
        match self.0 {
            Form::Human => output::line(binary_text(bytes)),
            Form::Json => output::json(
                &json!({ "event": "message", "kind": "binary", "bytes": bytes.len(), "data_hex": hex(bytes) }),
            ),
        }
    }

    /// The server sent a close frame.
    pub(super) fn closed(self, frame: Option<&CloseFrame>) -> anyhow::Result<Ending> {
        let code = frame.map_or(1005, |frame| u16::from(frame.code));
        let reason = frame.map_or("", |frame| frame.reason.as_str());
        let quoted = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let event = json!({ "event": "close", "code": code, "reason": reason, "meaning": meaning(code) });
        self.tell(&event, &format!("closed by the server with {code} ({}){quoted}", meaning(code)))?;
        Ok(if code == 1000 { Ending::Done } else { Ending::ClosedByServer })
    }

    /// The connection broke.
    pub(super) fn lost(self, how: &str) -> anyhow::Result<Ending> {
        self.tell(&json!({ "event": "lost", "message": how }), &format!("connection lost: {how}"))?;
        Ok(Ending::ClosedByServer)
    }

    /// We closed it.
    pub(super) fn left(self) -> anyhow::Result<()> {
        self.tell(&json!({ "event": "left" }), "disconnected")
    }

    /// There was no 101.
    pub(super) fn refused(self, response: &Response<Vec<u8>>) -> anyhow::Result<()> {
        let status = response.status();
        let text = String::from_utf8_lossy(response.body());
        let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.trim()));
        let event = json!({ "event": "refused", "status": status.as_u16(), "body": body });
        self.tell(&event, &format!("refused with {status}{}", refusal_text(&body)))
    }

    fn tell(self, event: &Value, words: &str) -> anyhow::Result<()> {
        match self.0 {
            Form::Json => output::json(event),
            Form::Human => {
                // Where stderr is gone there is nobody left to tell.
                let _written = writeln!(io::stderr(), "{words}");
                Ok(())
            }
        }
    }
}

/// What a refusal's body says: a gateway's in words, anybody else's as it is.
fn refusal_text(body: &Value) -> String {
    let error = &body["error"];
    match (error["reason"].as_str(), error["message"].as_str()) {
        (Some(reason), Some(message)) => format!(" ({reason})\n  {message}"),
        _ if body.as_str() == Some("") => String::new(),
        _ => format!("\n  {}", body.as_str().map_or_else(|| body.to_string(), str::to_owned)),
    }
}

/// What a close code says and asks for (docs/close-codes.md).
pub(super) fn meaning(code: u16) -> &'static str {
    match code {
        1000 => "normal end",
        1001 => "the gateway goes away: reconnect",
        1002 => "protocol error",
        1005 => "no code given",
        1007 => "a text message was not UTF-8",
        1008 => "a rule was broken",
        1009 => "a message was too large",
        1011 => "a defect of the cluster: reconnect later",
        1012 => "the worker is gone: reconnect now",
        1013 => "too slow to take its messages: reconnect later",
        4300 => "the token has expired: get a new one, then reconnect",
        4400 => "replaced by a newer session of the same user: do not reconnect",
        4401 => "closed by the back end: do not reconnect",
        4301..=4399 => "get a new token, then reconnect",
        4402..=4499 => "do not reconnect",
        3000..=4999 => "chosen by the back end",
        _ => "not a code of ringway",
    }
}

/// A binary message as people are shown it.
fn binary_text(bytes: &[u8]) -> String {
    let rest = if bytes.len() > BYTES_SHOWN { " …" } else { "" };
    let shown = &bytes[..bytes.len().min(BYTES_SHOWN)];
    format!("[binary, {} bytes] {}{rest}", bytes.len(), hex(shown))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateways_refusal_is_told_in_words_and_a_proxys_as_it_is() {
        let check = |body: Value, expected| assert_eq!(refusal_text(&body), expected);
        check(
            json!({ "error": { "status": 401, "reason": "token_blank", "message": "the token is blank" } }),
            " (token_blank)\n  the token is blank",
        );
        check(json!("<html>Bad Gateway</html>"), "\n  <html>Bad Gateway</html>");
        check(json!({ "detail": 1 }), "\n  {\"detail\":1}");
        check(json!(""), "");
    }

    #[test]
    fn every_code_of_ours_has_its_own_meaning() {
        use ringway_session::CloseCode as C;
        let codes = [
            C::NORMAL,
            C::GOING_AWAY,
            C::PROTOCOL,
            C::NO_STATUS,
            C::INVALID_PAYLOAD,
            C::POLICY,
            C::TOO_BIG,
            C::INTERNAL,
            C::RESTART,
            C::TRY_AGAIN_LATER,
            C::TOKEN_EXPIRED,
            C::REPLACED,
            C::CLOSED_BY_BACKEND,
        ];
        let meanings: std::collections::BTreeSet<_> =
            codes.iter().map(|code| meaning(code.as_u16())).collect();
        assert_eq!(meanings.len(), codes.len());
        assert!(!meanings.contains("not a code of ringway"));
    }

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hex(&[0, 15, 255]), "000fff");
    }
}
