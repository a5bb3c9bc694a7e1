//! Tables of handshakes and the tokens in them.

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use ringway_auth::{TokenError, TokenExtractor, TokenSource, TokenSourceError};

fn query() -> TokenSource {
    TokenSource::Query { name: "token".to_owned() }
}

fn subprotocol() -> TokenSource {
    TokenSource::Subprotocol { prefix: "token.".to_owned() }
}

fn cookie() -> TokenSource {
    TokenSource::Cookie { name: "token".to_owned() }
}

fn all() -> Vec<TokenSource> {
    vec![query(), TokenSource::Bearer, subprotocol(), cookie()]
}

fn extractor(sources: Vec<TokenSource>) -> TokenExtractor {
    TokenExtractor::new(sources, 64).unwrap()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    lines.iter().map(header).collect()
}

/// The token that is found in this handshake, or the reason for the refusal.
fn find(sources: &[TokenSource], uri: &str, lines: &[(&str, &str)]) -> Result<String, &'static str> {
    let outcome = extractor(sources.to_vec()).extract(&uri.parse::<Uri>().unwrap(), &headers(lines));
    outcome.map(|presented| presented.token.expose().to_owned()).map_err(|error| error.reason())
}

fn check(uri: &str, lines: &[(&str, &str)], expected: Result<&str, &str>) {
    let found = find(&all(), uri, lines);
    assert_eq!(found.as_deref().map_err(|reason| *reason), expected, "{uri} {lines:?}");
}

#[test]
fn in_the_query() {
    for (uri, expected) in [
        ("/ws?token=alice-room7", Ok("alice-room7")),
        ("/ws?a=b&token=alice&c", Ok("alice")),
        ("ws://example.com/ws?token=a=b==", Ok("a=b==")),
        ("/ws?%74oken=alice", Ok("alice")),
        ("/ws?token=a+b%20c%2Bd", Ok("a b c+d")),
        ("/ws?token=%E5%BC%A0", Ok("张")),
        ("/ws?token=100%", Ok("100%")),
        ("/ws?token=first&token=second", Ok("first")),
        ("/ws?token=", Err("token_blank")),
        ("/ws?token", Err("token_blank")),
        ("/ws?token=+%20%09", Err("token_blank")),
        ("/ws?token=&token=second", Err("token_blank")),
        ("/ws?Token=alice", Err("token_missing")),
        ("/ws?xtoken=alice", Err("token_missing")),
        ("/token=alice", Err("token_missing")),
        ("/ws?", Err("token_missing")),
        ("/ws", Err("token_missing")),
        ("/ws?token=%ff", Err("token_not_utf8")),
        ("/ws?token=%C0%80", Err("token_not_utf8")),
        ("/ws?token=a%00b", Err("token_control_character")),
        ("/ws?token=a%0d%0ab", Err("token_control_character")),
        ("/ws?token=a%C2%85b", Err("token_control_character")),
    ] {
        check(uri, &[], expected);
    }
}

#[test]
fn in_the_authorization_header() {
    for (value, expected) in [
        ("Bearer alice", Ok("alice")),
        ("bearer alice", Ok("alice")),
        ("BEARER   a.b+c/d==  ", Ok("a.b+c/d==")),
        ("Bearer a%20b", Ok("a%20b")),
        ("Bearer 张", Ok("张")),
        ("Bearer", Err("token_blank")),
        ("Bearer  ", Err("token_blank")),
        ("Basic YWxpY2U6eA==", Err("token_missing")),
        ("Bearertoken", Err("token_missing")),
        ("alice", Err("token_missing")),
        ("", Err("token_missing")),
        ("Bearer a\tb", Err("token_control_character")),
    ] {
        check("/ws", &[("authorization", value)], expected);
    }
    check("/ws", &[("authorization", "Basic x"), ("authorization", "Bearer alice")], Ok("alice"));
}

#[test]
fn in_a_subprotocol() {
    for (value, expected) in [
        ("chat, token.alice", Ok("alice")),
        ("ringway.v1.json, token.alice", Ok("alice")),
        ("token.a%20b%2B+c,ringway.v1.json", Ok("a b++c")),
        ("token.one, token.two, chat", Ok("one")),
        ("token.alice", Err("subprotocol_missing")),
        ("token.one, token.two", Err("subprotocol_missing")),
        ("token.a(b", Err("subprotocol_missing")),
        ("token.", Err("token_blank")),
        ("token.%20", Err("token_blank")),
        ("TOKEN.alice", Err("token_missing")),
        ("ringway.v1.json", Err("token_missing")),
        ("", Err("token_missing")),
        ("token.%fe", Err("token_not_utf8")),
    ] {
        check("/ws", &[("sec-websocket-protocol", value)], expected);
    }
}

#[test]
fn in_a_cookie() {
    for (value, expected) in [
        ("token=alice", Ok("alice")),
        ("a=b; token=alice; c=d", Ok("alice")),
        ("a=b;token=a%3Bb+c", Ok("a;b+c")),
        ("token=\"alice\"", Ok("alice")),
        ("token=\"", Ok("\"")),
        ("token=a=b", Ok("a=b")),
        ("token=", Err("token_blank")),
        ("token=\"\"", Err("token_blank")),
        ("token", Err("token_blank")),
        ("Token=alice", Err("token_missing")),
        ("mytoken=alice", Err("token_missing")),
        ("", Err("token_missing")),
    ] {
        check("/ws", &[("cookie", value)], expected);
    }
    check("/ws", &[("cookie", "a=b"), ("cookie", "token=alice")], Ok("alice"));
}

#[test]
fn the_first_source_that_is_present_decides() {
    let lines =
        &[("authorization", "Bearer b"), ("sec-websocket-protocol", "token.s, a"), ("cookie", "token=c")];
    check("/ws?token=q", lines, Ok("q"));
    check("/ws?token=", lines, Err("token_blank"));
    check("/ws", lines, Ok("b"));
    assert_eq!(find(&[cookie(), query()], "/ws?token=q", lines), Ok("c".to_owned()));
    assert_eq!(find(&[subprotocol()], "/ws?token=q", lines), Ok("s".to_owned()));
    assert_eq!(find(&[query()], "/ws", lines), Err("token_missing"));
}

#[test]
fn the_limit_counts_decoded_bytes() {
    let fits = "%41".repeat(64);
    assert_eq!(find(&[query()], &format!("/ws?token={fits}"), &[]), Ok("A".repeat(64)));
    assert_eq!(find(&[query()], &format!("/ws?token={fits}A"), &[]), Err("token_too_long"));
    let default = format!("/ws?token={}", "A".repeat(8193)).parse().unwrap();
    let error = TokenExtractor::default().extract(&default, &HeaderMap::new()).unwrap_err();
    assert!(matches!(error, TokenError::TooLong { bytes: 8193, bytes_max: 8192, .. }), "{error:?}");
}

#[test]
fn subprotocols_that_carry_a_token_are_never_offered_on() {
    let both = &[("sec-websocket-protocol", "a, token.s, , b(c)"), ("sec-websocket-protocol", "b,token.t")];
    for (sources, expected) in [
        (all(), &["a", "b"][..]),
        (vec![query(), subprotocol()], &["a", "b"]),
        (vec![query()], &["a", "token.s", "b", "token.t"]),
    ] {
        let presented = extractor(sources).extract(&"/?token=q".parse().unwrap(), &headers(both)).unwrap();
        assert_eq!(presented.subprotocols, expected);
    }
}

#[test]
fn errors_say_where_and_what() {
    let say = |uri: &str| {
        let outcome = extractor(all()).extract(&uri.parse().unwrap(), &HeaderMap::new());
        outcome.unwrap_err().to_string()
    };
    assert_eq!(
        say("/ws"),
        "the token is missing; expected in: query parameter `token`, header `Authorization: Bearer`, \
         `Sec-WebSocket-Protocol` entry `token.…`, cookie `token`"
    );
    assert_eq!(say("/ws?token=+"), "the token in the query parameter `token` is blank");
    assert!(!say("/ws?token=secret%00").contains("secret"));
}

#[test]
fn a_token_alone_among_the_subprotocols_is_told_the_recipe() {
    // Wherever the token was found: it is the browser that would drop the socket.
    for uri in ["/ws", "/ws?token=alice"] {
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-protocol", "token.s3cret".parse().unwrap());
        let text = extractor(all()).extract(&uri.parse().unwrap(), &headers).unwrap_err().to_string();
        assert!(text.contains("new WebSocket(url, [\"ringway.raw\", \"token.\" + token])"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let prefix = |prefix: &str| TokenSource::Subprotocol { prefix: prefix.to_owned() };
    let check = |sources: Vec<TokenSource>, bytes_max: usize, expected: &str| {
        let error: TokenSourceError = TokenExtractor::new(sources, bytes_max).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(vec![], 64, "no token source");
    check(all(), 0, "at least 1");
    check(vec![TokenSource::Query { name: String::new() }], 64, "query parameter is empty");
    check(vec![query(), prefix("")], 64, "prefix of a subprotocol");
    check(vec![prefix("to ken.")], 64, "prefix of a subprotocol");
    check(vec![TokenSource::Cookie { name: "a=b".to_owned() }], 64, "name of a cookie");
}
