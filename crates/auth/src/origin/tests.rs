//! Tables of origins that may and may not connect.

use http::HeaderValue;

use super::*;

fn policy(list: &[&str]) -> OriginPolicy {
    let allowed = AllowedOrigins::List(list.iter().map(|entry| (*entry).to_owned()).collect());
    OriginPolicy::new(&OriginConfig { allowed, allow_missing: true }).unwrap()
}

fn check(list: &[&str], origin: &str, expected: Result<(), &str>) {
    let header = HeaderValue::from_bytes(origin.as_bytes()).unwrap();
    let outcome = policy(list).allows(Some(&header)).map_err(|error| error.reason());
    assert_eq!(outcome, expected, "{origin:?} against {list:?}");
}

const NOT_ALLOWED: Result<(), &str> = Err("origin_not_allowed");
const MALFORMED: Result<(), &str> = Err("origin_malformed");

#[test]
fn an_exact_entry_is_compared_as_a_triple() {
    let list = &["https://App.Example.com", "http://localhost:3000", "https://[::1]:8443"];
    check(list, "https://app.example.com", Ok(()));
    check(list, "HTTPS://APP.EXAMPLE.COM", Ok(()));
    check(list, "https://app.example.com:443", Ok(()));
    check(list, "http://localhost:3000", Ok(()));
    check(list, "https://[0:0::1]:8443", Ok(()));
    check(list, "http://app.example.com", NOT_ALLOWED);
    check(list, "https://app.example.com:8443", NOT_ALLOWED);
    check(list, "http://localhost", NOT_ALLOWED);
    check(list, "https://example.com", NOT_ALLOWED);
    check(list, "https://evil-app.example.com", NOT_ALLOWED);
    check(list, "https://app.example.com.evil.org", NOT_ALLOWED);
    check(&["https://a.org:443"], "https://a.org", Ok(()));
    check(&["tauri://localhost"], "tauri://localhost", Ok(()));
    check(&[], "https://app.example.com", NOT_ALLOWED);
}

#[test]
fn a_wildcard_covers_subdomains_at_any_depth_and_not_the_apex() {
    let list = &["https://*.example.com"];
    check(list, "https://a.example.com", Ok(()));
    check(list, "https://a.b.C.example.com:443", Ok(()));
    check(list, "https://example.com", NOT_ALLOWED);
    check(list, "https://evilexample.com", NOT_ALLOWED);
    check(list, "https://example.com.evil.org", NOT_ALLOWED);
    check(list, "http://a.example.com", NOT_ALLOWED);
    check(list, "http://a.example.com:443", NOT_ALLOWED);
    check(list, "https://a.example.com:8443", NOT_ALLOWED);
    check(list, "https://.example.com", MALFORMED);
    check(&["https://*.example.com:8443"], "https://a.example.com:8443", Ok(()));
}

#[test]
fn null_is_allowed_only_when_listed() {
    check(&["null"], "null", Ok(()));
    check(&["https://*.example.com"], "null", NOT_ALLOWED);
    check(&["null"], "https://a.example.com", NOT_ALLOWED);
}

#[test]
fn what_is_no_single_origin_is_malformed() {
    for origin in [
        "",
        "example.com",
        "https://",
        "https://a.org/",
        "https://a.org https://b.org",
        "https://user@a.org",
        "https://a.org:",
        "https://a.org:+1",
        "https://a.org:0",
        "https://a.org:65536",
        "https://*.a.org",
        "https://\u{e9}.org",
        "file:///",
        "1http://a.org",
    ] {
        check(&["https://*.a.org", "https://a.org"], origin, MALFORMED);
    }
}

#[test]
fn a_missing_origin_is_a_question_of_configuration() {
    let any = OriginPolicy::new(&OriginConfig::default()).unwrap();
    assert_eq!(any.allows(None), Ok(()));
    assert_eq!(any.allows(Some(&HeaderValue::from_static("whatever"))), Ok(()));
    let strict = OriginConfig { allow_missing: false, ..OriginConfig::default() };
    assert_eq!(OriginPolicy::new(&strict).unwrap().allows(None), Err(OriginError::Missing));
}

#[test]
fn mistakes_in_the_list_are_explained() {
    for (entry, problem) in [
        ("example.com", "it does not start with a scheme"),
        ("*", "it does not start with a scheme"),
        ("https://a.org/", "leave out the path"),
        ("https://a.org/chat", "leave out the path"),
        ("https://*", "may only stand for all subdomains"),
        ("https://a.*.org", "may only stand for all subdomains"),
        ("https://*.*.org", "may only stand for all subdomains"),
        ("https://*.10.0.0.1", "no subdomains"),
        ("https://*.", "host is empty"),
        ("https://bücher.de", "Punycode"),
        ("https://a..org", "empty label"),
        ("https://::1", "stands in brackets"),
        ("https://[::g]", "IPv6"),
        ("https://a.org:https", "port is not a number"),
        ("Null", "it does not start with a scheme"),
    ] {
        let allowed = AllowedOrigins::List(vec![entry.to_owned()]);
        let error = OriginPolicy::new(&OriginConfig { allowed, allow_missing: true }).unwrap_err();
        assert!(error.to_string().contains(problem), "{entry:?}: {error}");
    }
}
