//! A client's wish to go on with the session that its broken socket had: the query parameters `resume`, `offset`
//! and `attempt` of clients that speak `ringway.v1.json` (docs/client-protocol.md). For others they mean nothing, and are theirs. Also of which
//! device it is, and how far that has read the user's mailbox: `device` and `mailbox`.

use http::Uri;
use percent_encoding::percent_decode_str;
use ringway_proto::v1::{MailboxPlace, Resume};
use ringway_session::DeviceId;
use ringway_session::frame::SUBPROTOCOL;

use crate::refusal::Refusal;

/// Reads the wish, if there is one.
///
/// # Errors
/// [`Refusal::ResumeInvalid`] if it cannot be what a client was told.
pub(crate) fn wish(uri: &Uri, subprotocols: &[String]) -> Result<Option<Resume>, Refusal> {
    if !is_ours(subprotocols) {
        return Ok(None);
    }
    let Some(token) = parameter(uri, "resume") else { return Ok(None) };
    let token = percent_decode_str(token).decode_utf8();
    let token = token.map_err(|_| Refusal::ResumeInvalid("`resume` is not UTF-8 once it is decoded"))?;
    if token.is_empty() {
        return Err(Refusal::ResumeInvalid("`resume` is empty"));
    }
    let number =
        |name, invalid| parameter(uri, name).map_or(Some(0), decimal).ok_or(Refusal::ResumeInvalid(invalid));
    let offset = number("offset", "`offset` is no decimal number below 2^64")?;
    let attempt = number("attempt", "`attempt` is no decimal number below 2^64")?;
    Ok(Some(Resume { token: token.into_owned(), offset, attempt }))
}

/// Which of the user's devices it is; empty for none in particular. Another client's parameter of that name is its own, and counts
/// only if it could be a device's name.
///
/// # Errors
/// [`Refusal::DeviceInvalid`].
pub(crate) fn device(uri: &Uri, subprotocols: &[String]) -> Result<String, Refusal> {
    let Some(raw) = parameter(uri, "device") else { return Ok(String::new()) };
    let name = percent_decode_str(raw).decode_utf8().ok().filter(|name| DeviceId::new(name).is_ok());
    match name {
        Some(name) => Ok(name.into_owned()),
        None if is_ours(subprotocols) => Err(Refusal::DeviceInvalid),
        None => Ok(String::new()),
    }
}

/// What the client says to have of the user's mailbox, if it says anything.
///
/// # Errors
/// [`Refusal::MailboxInvalid`].
pub(crate) fn mailbox(uri: &Uri, subprotocols: &[String]) -> Result<Option<MailboxPlace>, Refusal> {
    let Some(raw) = parameter(uri, "mailbox").filter(|_| is_ours(subprotocols)) else { return Ok(None) };
    let place = raw.parse::<ringway_session::MailboxPlace>().map_err(|_| Refusal::MailboxInvalid)?;
    Ok(Some(MailboxPlace { epoch: place.epoch, offset: place.offset }))
}

fn is_ours(subprotocols: &[String]) -> bool {
    subprotocols.iter().any(|offered| offered == SUBPROTOCOL)
}

/// The raw value of a query parameter, the first of this name.
fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(found, _)| *found == name).map(|(_, value)| value).next()
}

/// Digits only: a sign is none.
fn decimal(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_places() {
        let ours = [SUBPROTOCOL.to_owned()];
        let uri = |query: &str| format!("/ws?{query}").parse::<Uri>().expect("a URI");
        let long = "x".repeat(129);
        for (query, of_ours, of_others) in [
            ("token=a", Some(""), ""),
            ("device=my%20phone", Some("my phone"), "my phone"),
            ("device=", None, ""),
            ("device=%ff", None, ""),
            ("device=a%0Ab", None, ""),
            (&format!("device={long}"), None, ""),
        ] {
            assert_eq!(device(&uri(query), &ours).ok().as_deref(), of_ours, "{query}");
            assert_eq!(device(&uri(query), &[]).ok().as_deref(), Some(of_others), "{query}");
        }
        for (query, expected) in [
            ("token=a", Ok(None)),
            ("mailbox=5f0c7e1d9a3b4c62.17", Ok(Some(17))),
            ("mailbox=", Err(())),
            ("mailbox=17", Err(())),
            ("mailbox=0000000000000000.17", Err(())),
        ] {
            let read = mailbox(&uri(query), &ours);
            assert_eq!(read.map(|place| place.map(|place| place.offset)).map_err(drop), expected, "{query}");
            assert!(matches!(mailbox(&uri(query), &[]), Ok(None)), "{query}");
        }
    }

    #[test]
    fn wishes() {
        let check = |query: &str, subprotocol: &str, expected: Result<Option<(&str, u64, u64)>, ()>| {
            let uri: Uri = format!("/ws?{query}").parse().expect("a URI");
            let read = wish(&uri, &["chat".to_owned(), subprotocol.to_owned()]);
            let read =
                read.map(|wish| wish.map(|wish| (wish.token, wish.offset, wish.attempt))).map_err(|error| {
                    assert_eq!(error.reason(), "resume_invalid");
                });
            assert_eq!(
                read,
                expected.map(|wish| wish.map(|(token, offset, attempt)| (token.to_owned(), offset, attempt))),
                "{query}"
            );
        };
        let ours = SUBPROTOCOL;
        check("token=a", ours, Ok(None));
        check("token=a&offset=7", ours, Ok(None));
        check("token=a&resume=t", ours, Ok(Some(("t", 0, 0))));
        check("resume=t&offset=7&token=a", ours, Ok(Some(("t", 7, 0))));
        check("resume=t&offset=7&attempt=3", ours, Ok(Some(("t", 7, 3))));
        check("resume=t%2F%2b%3D", ours, Ok(Some(("t/+=", 0, 0))));
        check("resume=t&offset=18446744073709551615", ours, Ok(Some(("t", u64::MAX, 0))));
        check("resume=t&offset=", ours, Err(()));
        check("resume=t&offset=18446744073709551616", ours, Err(()));
        check("resume=t&offset=+7", ours, Err(()));
        check("resume=t&offset=-7", ours, Err(()));
        check("resume=t&offset=7x", ours, Err(()));
        check("resume=t&attempt=-1", ours, Err(()));
        check("resume=t&attempt=", ours, Err(()));
        check("attempt=x", ours, Ok(None));
        check("resume=", ours, Err(()));
        check("resume=%ff", ours, Err(()));
        check("resume=&offset=x", "other", Ok(None));
        check("resume=t&offset=x", "other", Ok(None));
    }
}
