//! Answers, with the headers that all of them have.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use ringway_proto::{Reason, Refusal};
use serde_json::{Value, json};

use crate::access::Denied;

/// Nothing but what this gateway serves: no inline script or style, no frame, no form that leads elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) type Answer = Response<Bytes>;

/// An answer of this type.
pub(crate) fn content(kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    guard(headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// What was asked for.
pub(crate) fn json(value: &Value) -> Answer {
    let mut answer = content("application/json", value.to_string().into());
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Why something was not done: `{"error": {"status", "reason", "message"}}`.
pub(crate) fn error(status: StatusCode, reason: &str, message: &str) -> Answer {
    let error = json!({ "status": status.as_u16(), "reason": reason, "message": message });
    let mut answer = json(&json!({ "error": error }));
    *answer.status_mut() = status;
    answer
}

pub(crate) fn not_found() -> Answer {
    error(StatusCode::NOT_FOUND, "path_unknown", "nothing is at this path")
}

pub(crate) fn invalid(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "invalid", message)
}

pub(crate) fn denied(denied: Denied) -> Answer {
    let (status, reason) = match denied {
        Denied::Token => (StatusCode::UNAUTHORIZED, "admin_token"),
        Denied::OtherSite => (StatusCode::FORBIDDEN, "other_site"),
        Denied::OtherHost => (StatusCode::FORBIDDEN, "other_host"),
    };
    let mut answer = error(status, reason, &denied.to_string());
    if denied == Denied::Token {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// The cluster has refused.
pub(crate) fn refused(refusal: &Refusal) -> Answer {
    let status = match refusal.reason {
        Reason::InvalidArgument => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    error(status, refusal.reason.name(), &refusal.message)
}

fn guard(headers: &mut HeaderMap) {
    let own = |name: &'static str| HeaderName::from_static(name);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(own("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.insert(own("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
}
