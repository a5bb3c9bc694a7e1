//! Laws that hold for any input whatever.

use http::header::{AUTHORIZATION, COOKIE, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderValue, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use ringway_auth::{
    AllowedOrigins, Authenticator, OriginConfig, OriginPolicy, Plain, Token, TokenExtractor, TokenSource,
    check_group, check_user,
};

use crate::support::{Pair, authenticate, jwt, now, secret_source};

const BYTES_MAX: usize = 32;

fn sources() -> Vec<TokenSource> {
    let cookie = TokenSource::Cookie { name: "token".to_owned() };
    TokenSource::defaults().into_iter().chain([cookie]).collect()
}

/// A handshake that has `bytes` wherever a token can stand and HTTP lets them through.
fn handshake(bytes: &[u8], places: u8) -> (Uri, HeaderMap) {
    let uri = Uri::try_from([b"/ws?token=", bytes].concat()).unwrap_or_default();
    let mut headers = HeaderMap::new();
    let lines = [
        (AUTHORIZATION, &b"Bearer "[..]),
        (SEC_WEBSOCKET_PROTOCOL, b"a, token."),
        (COOKIE, b"x=y; token="),
        (ORIGIN, b"https://"),
    ];
    for (place, (name, prefix)) in lines.into_iter().enumerate() {
        if let (true, Ok(value)) =
            (places >> place & 1 == 1, HeaderValue::from_bytes(&[prefix, bytes].concat()))
        {
            headers.append(name, value);
        }
    }
    (uri, headers)
}

/// Bytes of which many are special somewhere.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let special = proptest::sample::select(&b"%+&=;, \t\"./:[]@-019aAfFtoken\x80\xc3\xa9\xff"[..]);
    proptest::collection::vec(prop_oneof![3 => special, 1 => any::<u8>()], 0..60)
}

fn printable() -> impl Strategy<Value = String> {
    "\\PC{1,8}".prop_filter("not blank, not a format character", |text| {
        !text.trim().is_empty() && !text.contains(char::is_control)
    })
}

proptest! {
    #[test]
    fn any_handshake_gives_an_error_or_a_clean_token(bytes in bytes(), places: u8) {
        let (uri, headers) = handshake(&bytes, places);
        let extractor = TokenExtractor::new(sources(), BYTES_MAX).unwrap();
        if let Ok(presented) = extractor.extract(&uri, &headers) {
            let text = presented.token.expose();
            prop_assert!(!text.trim().is_empty() && text.len() <= BYTES_MAX && !text.contains(char::is_control));
            prop_assert!(presented.subprotocols.iter().all(|entry| !entry.starts_with("token.")));
            if let Ok(identity) = Plain::default().authenticate(&presented.token, now()) {
                prop_assert_eq!(check_user(&identity.user), Ok(()));
                prop_assert!(identity.groups.iter().all(|group| check_group(group).is_ok()));
            }
        }
    }

    #[test]
    fn any_origin_header_is_judged(bytes in bytes(), list in any::<bool>()) {
        let (_, headers) = handshake(&bytes, 0xff);
        let entries = ["https://*.example.com", "null"].map(str::to_owned).to_vec();
        let allowed = if list { AllowedOrigins::List(entries) } else { AllowedOrigins::Any };
        let policy = OriginPolicy::new(&OriginConfig { allowed, allow_missing: true }).unwrap();
        let header = headers.get(ORIGIN);
        prop_assert_eq!(policy.allows(header).is_ok(), !list || header.is_none());
    }

    #[test]
    fn any_list_entry_is_parsed_or_refused(text in "(https?://)?(\\*\\.)?\\PC{0,20}") {
        let allowed = AllowedOrigins::List(vec![text]);
        if let Ok(policy) = OriginPolicy::new(&OriginConfig { allowed, allow_missing: true }) {
            let other = HeaderValue::from_static("https://not-listed.invalid");
            prop_assert!(policy.allows(Some(&other)).is_err());
        }
    }

    #[test]
    fn what_is_percent_encoded_comes_back(text in printable()) {
        let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        let extractor = TokenExtractor::new(sources(), BYTES_MAX).unwrap();
        let uri: Uri = format!("/ws?token={encoded}").parse().unwrap();
        let header = |name, value: String| HeaderMap::from_iter([(name, HeaderValue::try_from(value).unwrap())]);
        for (uri, headers) in [
            (uri, HeaderMap::new()),
            (Uri::from_static("/ws"), header(SEC_WEBSOCKET_PROTOCOL, format!("chat, token.{encoded}"))),
            (Uri::from_static("/ws"), header(COOKIE, format!("token={encoded}"))),
        ] {
            let presented = extractor.extract(&uri, &headers).unwrap();
            prop_assert_eq!(presented.token.expose(), &text);
        }
    }

    #[test]
    fn no_random_token_authenticates(text in "\\PC{0,40}", parts in "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,4}") {
        let jwt = jwt(secret_source());
        prop_assert!(authenticate(&jwt, &Token::new(text)).is_err());
        prop_assert!(authenticate(&jwt, &Token::new(parts)).is_err());
    }

    #[test]
    fn no_changed_token_authenticates(at: prop::sample::Index, by in "[A-Za-z0-9_.-]") {
        let jwt = jwt(secret_source());
        let good = Pair::secret().good_token().expose().to_owned();
        let at = at.index(good.len());
        let changed = format!("{}{by}{}", &good[..at], &good[at + 1..]);
        prop_assert_eq!(authenticate(&jwt, &Token::new(changed.clone())).is_ok(), changed == good);
    }

    /// The token as `Debug` and `Display` show it, and every error about it, keep its text to themselves.
    #[test]
    fn no_text_repeats_a_token(marker in "[a-z0-9]{24}", tail in "\\PC{0,300}") {
        let token = Token::new(format!("{marker}{tail}\n"));
        let error = Plain::default().authenticate(&token, now()).unwrap_err();
        let refused = jwt(secret_source()).authenticate(&token, now()).unwrap_err();
        for shown in [format!("{token} {token:?}"), format!("{error} {error:?}"), format!("{refused} {refused:?}")] {
            prop_assert!(!shown.contains(&marker), "{}", shown);
        }
    }
}
