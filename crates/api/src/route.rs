//! What a path and a method ask for. Names in paths are percent-encoded, a `/` in a name too (`a%2Fb`).

use http::Method;
use percent_encoding::percent_decode_str;

use crate::refusal::Refusal;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A message.
    Send(Target),
    /// Where a user is.
    ShowUser(String),
    /// The end of a session.
    CloseSession(String),
    /// The document that describes the API.
    ShowDocument,
}

/// For whom a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    User(String),
    Group(String),
    All,
}

impl Route {
    /// Finds it.
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, Refusal> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let (allow, route): (_, fn(String) -> Route) = match segments.as_slice() {
            ["v1", "users", _, "messages"] => ("POST", |name| Route::Send(Target::User(name))),
            ["v1", "groups", _, "messages"] => ("POST", |name| Route::Send(Target::Group(name))),
            ["v1", "messages"] => ("POST", |_| Route::Send(Target::All)),
            ["v1", "users", _] => ("GET, HEAD", Route::ShowUser),
            ["v1", "sessions", _] => ("DELETE", Route::CloseSession),
            ["v1", "openapi.json"] => ("GET, HEAD", |_| Route::ShowDocument),
            _ => return Err(Refusal::PathUnknown),
        };
        if !allow.split(", ").any(|allowed| allowed == method.as_str()) {
            return Err(Refusal::MethodNotAllowed { allow });
        }
        match segments.get(2) {
            Some(segment) => decode(segment).map(route),
            None => Ok(route(String::new())),
        }
    }

    /// Its name in metrics, logs and the document (`operationId`).
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Route::Send(Target::User(_)) => "send_to_user",
            Route::Send(Target::Group(_)) => "send_to_group",
            Route::Send(Target::All) => "send_to_all",
            Route::ShowUser(_) => "show_user",
            Route::CloseSession(_) => "close_session",
            Route::ShowDocument => "show_document",
        }
    }
}

/// A name as it stands in a path or a query. A `%` that begins no two hexadecimal digits is refused: it was not meant as it
/// stands.
pub(crate) fn decode(text: &str) -> Result<String, Refusal> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => {
                return Err(invalid(
                    text,
                    "has a `%` that begins no percent-encoded byte; write `%25` for it",
                ));
            }
        }
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| invalid(text, "is not UTF-8 once it is decoded"))
}

fn invalid(text: &str, why: &str) -> Refusal {
    Refusal::Invalid(format!("{text:?} in the URL {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods() {
        let user = |name: &str| Ok(Route::Send(Target::User(name.to_owned())));
        let cases: [(&str, &str, Result<Route, &str>); 24] = [
            ("POST", "/v1/users/alice/messages", user("alice")),
            ("POST", "/v1/users/a%2Fb/messages", user("a/b")),
            ("POST", "/v1/users/a%2fb%20c/messages", user("a/b c")),
            ("POST", "/v1/users/za%C5%BC%C3%B3%C5%82%C4%87/messages", user("zażółć")),
            ("POST", "/v1/users/a+b/messages", user("a+b")),
            ("POST", "/v1/users//messages", user("")),
            ("POST", "/v1/users/%/messages", Err("INVALID_ARGUMENT")),
            ("POST", "/v1/users/%4/messages", Err("INVALID_ARGUMENT")),
            ("POST", "/v1/users/%zz/messages", Err("INVALID_ARGUMENT")),
            ("POST", "/v1/users/%ff/messages", Err("INVALID_ARGUMENT")),
            ("POST", "/v1/groups/room7/messages", Ok(Route::Send(Target::Group("room7".into())))),
            ("POST", "/v1/messages", Ok(Route::Send(Target::All))),
            ("GET", "/v1/users/alice", Ok(Route::ShowUser("alice".into()))),
            ("HEAD", "/v1/users/alice", Ok(Route::ShowUser("alice".into()))),
            ("DELETE", "/v1/sessions/cf45", Ok(Route::CloseSession("cf45".into()))),
            ("GET", "/v1/openapi.json", Ok(Route::ShowDocument)),
            ("GET", "/v1/users/alice/messages", Err("METHOD_NOT_ALLOWED")),
            ("OPTIONS", "/v1/messages", Err("METHOD_NOT_ALLOWED")),
            ("get", "/v1/users/alice", Err("METHOD_NOT_ALLOWED")),
            ("POST", "/v1/messages/", Err("PATH_UNKNOWN")),
            ("POST", "/v2/messages", Err("PATH_UNKNOWN")),
            ("GET", "/", Err("PATH_UNKNOWN")),
            ("GET", "*", Err("PATH_UNKNOWN")),
            ("POST", "/v1/users/a/b/messages", Err("PATH_UNKNOWN")),
        ];
        for (method, path, expected) in cases {
            let got = Route::of(&method.parse().unwrap(), path);
            assert_eq!(got.map_err(|refusal| refusal.reason()), expected, "{method} {path}");
        }
    }
}
