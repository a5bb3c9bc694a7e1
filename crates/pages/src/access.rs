//! Who may ask: whoever shows the admin token; or, where there is none, whoever is on this machine.
//!
//! A browser sends requests for any page that its user has open. So a request that a page of another origin may have caused is
//! refused, by what the browser says about it (Fetch Metadata, `Origin`); and where no token is asked for, one whose `Host` is not
//! this machine, since a foreign name can be made to lead here (DNS rebinding).
//!
//! A proxy may put another `Host` into requests than the browser meant, so that `Origin` is of another one. Where a token is asked for,
//! `Sec-Fetch-Site: same-origin` counts instead. The browser compares the origins itself, as it knows them in front of the proxy; no
//! script can set a header whose name begins with `Sec-` (Fetch, "forbidden request-header"); and whoever is no browser, and says so
//! falsely, needs the token all the same, which no browser adds to anybody's request by itself. Without a token the two must agree: there
//! `Host` is all that keeps others out, and a proxy that puts `localhost` there would let everybody's pages in.

use std::fmt;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName};
use ringway_auth::{bearer, is_for_this_machine};
use subtle::ConstantTimeEq as _;

/// The shortest admin token that is taken, in bytes.
const TOKEN_BYTES_MIN: usize = 16;
/// The longest.
const TOKEN_BYTES_MAX: usize = 1024;

/// What browsers say of where a request comes from (Fetch Metadata Request Headers, section 2.4).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may use the pages.
#[derive(Clone, Debug)]
pub enum Access {
    /// Whoever shows this token.
    Admin(AdminToken),
    /// Whoever reaches the gateway by a name of this machine. For gateways that listen there only.
    ThisMachine,
}

/// The token of those who may use the pages. It is never shown.
#[derive(Clone)]
pub struct AdminToken(String);

/// Why a text cannot be the admin token. It never quotes the text.
#[derive(Debug, thiserror::Error)]
#[error("the admin token must have {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} visible ASCII characters")]
pub struct AdminTokenError;

/// Whose page has caused a request.
enum Site {
    Same,
    Other,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("the admin token is missing or wrong: `Authorization: Bearer TOKEN`")]
    Token,
    #[error("a page of another origin has caused this request")]
    OtherSite,
    #[error("without an admin token the pages are for this machine only: open them at localhost")]
    OtherHost,
}

impl AdminToken {
    /// Takes a text as the token.
    ///
    /// # Errors
    /// When its length or one of its characters is not allowed.
    pub fn new(text: &str) -> Result<Self, AdminTokenError> {
        let is_right = (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_right { Ok(Self(text.to_owned())) } else { Err(AdminTokenError) }
    }

    /// Whether this is it; takes the same time wherever they differ.
    fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(hidden)")
    }
}

impl Access {
    /// Whether a request may be answered.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let is_of_this_site = match (said_by_browser(headers), self) {
            (Some(Site::Other), _) => false,
            (Some(Site::Same), Self::Admin(_)) => true,
            (Some(Site::Same) | None, _) => is_origin_the_host(headers),
        };
        if !is_of_this_site {
            return Err(Denied::OtherSite);
        }
        match self {
            Self::Admin(token) => {
                bearer(headers).filter(|shown| token.is(shown)).map(drop).ok_or(Denied::Token)
            }
            Self::ThisMachine if is_for_this_machine(headers) => Ok(()),
            Self::ThisMachine => Err(Denied::OtherHost),
        }
    }
}

/// Where a browser says that the request comes from; nothing if it does not say, or that nobody's page has caused it.
fn said_by_browser(headers: &HeaderMap) -> Option<Site> {
    let mut said = headers.get_all(FETCH_SITE).iter().filter(|site| *site != "none").peekable();
    said.peek()?;
    Some(if said.all(|site| site == "same-origin") { Site::Same } else { Site::Other })
}

/// Whether the request says that it comes from the host that it was sent to, or from no page.
fn is_origin_the_host(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest);
    authority.is_some_and(|authority| headers.get(HOST).is_some_and(|host| host == authority))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn check(access: &Access, headers: &[(&'static str, &str)], expected: Result<(), Denied>) {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))
        };
        let map: HeaderMap = headers.iter().map(header).collect();
        assert_eq!(access.check(&map), expected, "{headers:?}");
    }

    #[test]
    fn whoever_shows_the_token_may_ask() {
        let access = Access::Admin(AdminToken::new(TOKEN).expect("a token"));
        check(&access, &[("authorization", "Bearer 0123456789abcdef"), ("host", "x.example")], Ok(()));
        check(&access, &[("authorization", "bearer 0123456789abcdef")], Ok(()));
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdeg", "Basic 0123"]
        {
            check(&access, &[("authorization", wrong), ("host", "localhost")], Err(Denied::Token));
        }
        check(&access, &[("host", "localhost")], Err(Denied::Token));
    }

    #[test]
    fn without_a_token_only_names_of_this_machine_lead_here() {
        let access = Access::ThisMachine;
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.2:1", "[::1]:8080"] {
            check(&access, &[("host", host)], Ok(()));
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:8080", "localhost.evil.example", ""]
        {
            check(&access, &[("host", host)], Err(Denied::OtherHost));
        }
        check(&access, &[], Err(Denied::OtherHost));
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        let host = ("host", "localhost:8080");
        let access = Access::ThisMachine;
        check(
            &access,
            &[host, ("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")],
            Ok(()),
        );
        check(&access, &[host, ("sec-fetch-site", "none")], Ok(()));
        for other in [
            ("origin", "http://localhost:3000"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            check(&access, &[host, other], Err(Denied::OtherSite));
        }
    }

    /// The `Host` in front of the proxy was `pages.example`.
    #[test]
    fn behind_a_proxy_the_browsers_word_counts_where_a_token_is_asked_for() {
        let admin = Access::Admin(AdminToken::new(TOKEN).expect("a token"));
        let (token, site) = (("authorization", "Bearer 0123456789abcdef"), |is| ("sec-fetch-site", is));
        let (host, loopback) = (("host", "10.0.0.9:8080"), ("host", "127.0.0.1:8080"));
        let (ours, theirs) = (("origin", "https://pages.example"), ("origin", "https://evil.example"));
        for (access, headers, expected) in [
            (&admin, &[token, host, ours, site("same-origin")][..], Ok(())),
            (&admin, &[token, host, site("same-origin")], Ok(())),
            (&admin, &[token, host, ours], Err(Denied::OtherSite)),
            (&admin, &[token, host, ours, site("none")], Err(Denied::OtherSite)),
            (&admin, &[token, host, theirs, site("cross-site")], Err(Denied::OtherSite)),
            (&admin, &[token, host, theirs, site("same-site")], Err(Denied::OtherSite)),
            (&admin, &[token, host, theirs, site("same-origin, cross-site")], Err(Denied::OtherSite)),
            (&admin, &[host, ours, site("same-origin")], Err(Denied::Token)),
            (&Access::ThisMachine, &[loopback, ours, site("same-origin")], Err(Denied::OtherSite)),
        ] {
            check(access, headers, expected);
        }
    }

    #[test]
    fn tokens_that_could_be_guessed_are_refused_and_none_is_shown() {
        for text in ["", "short", "0123456789abcde", "with a space in it", "zażółć gęślą jaźń!"] {
            assert!(AdminToken::new(text).is_err(), "{text}");
        }
        assert!(!format!("{:?}", AdminToken::new(TOKEN)).contains("0123"));
    }
}
