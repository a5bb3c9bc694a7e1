//! Every way in which a request gets no socket: one enum, one table.
//!
//! A refusal says what was wrong and what would be right, in words for people and as a reason for programs. The table of
//! [`Refusal::row`] is repeated in `docs/refusals.md`; a test holds the two together.

use std::time::Duration;

use http::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use ringway_auth::{AuthError, OriginError, TokenError};
use serde_json::json;

use crate::http::Body;
use crate::link::End;

/// Carries the address at which a user can be served.
pub(crate) const OWNER_URL: HeaderName = HeaderName::from_static("ringway-owner-url");

/// When to try again, if the cause is one of a moment.
const SOON: Duration = Duration::from_secs(1);
/// When to try again, if the cause lasts longer.
const LATER: Duration = Duration::from_secs(5);

/// Why a request gets no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("nothing is at this path; sockets are opened at {0}")]
    PathUnknown(String),
    #[error("metrics are not served by this listener; look at the metrics address of the configuration")]
    MetricsElsewhere,
    #[error("a WebSocket is opened with GET, not {0}")]
    MethodNotAllowed(String),
    #[error("here one only asks, with GET or HEAD, not {0}")]
    ReadOnly(String),
    #[error("a WebSocket needs HTTP/1.1 (RFC 6455 section 4.1); this request is older")]
    HttpTooOld,
    #[error("the request line and headers are {bytes} bytes; at most {bytes_max} are taken")]
    HeadTooLarge { bytes: usize, bytes_max: usize },
    #[error("the `Host` header must be there once (RFC 6455 section 4.1, RFC 9112 section 3.2)")]
    HostInvalid,
    #[error("this is a WebSocket endpoint; ask for it with `Upgrade: websocket` (RFC 6455 section 4.1)")]
    UpgradeRequired,
    #[error(
        "the `Connection` header must hold `Upgrade` (RFC 6455 section 4.1); a proxy may have removed it"
    )]
    ConnectionNotUpgrade,
    #[error("the `Sec-WebSocket-Version` must be 13 (RFC 6455 section 4.1)")]
    VersionNotSupported,
    #[error("the `Sec-WebSocket-Key` must be there once and be 16 bytes in base64 (RFC 6455 section 4.1)")]
    KeyInvalid,
    #[error("a handshake has no body; leave out `Content-Length` and `Transfer-Encoding`")]
    BodyNotAllowed,
    #[error("a request's body is read up to {0} bytes, and for 10 s")]
    BodyUnreadable(usize),
    #[error("{0}; leave out `resume` to begin a new session")]
    ResumeInvalid(&'static str),
    #[error("`device` must be 1 to 128 bytes of UTF-8 without control characters, once it is decoded")]
    DeviceInvalid,
    #[error(
        "`mailbox` must be a place as a `mailbox` or `message` frame told it; leave it out if there is none"
    )]
    MailboxInvalid,
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("too many subprotocols are offered; at most {count_max} of together {bytes_max} bytes are taken")]
    SubprotocolsTooMany { count_max: usize, bytes_max: usize },
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("this worker does not serve the user; connect to {}", .0.as_deref().unwrap_or("a gateway"))]
    UserElsewhere(Option<String>),
    #[error("too many handshakes are under way here; try again in a moment, with some jitter")]
    HandshakesBusy,
    #[error("the session was closed before it was open, with code {}: {}", .0.code, .0.reason)]
    SessionClosed(End),
    #[error("the user has as many sessions as one may have: {0}")]
    SessionsTooMany(String),
    #[error("the token names more groups than a session may be in: {0}")]
    GroupsTooMany(String),
    #[error("this gateway holds as many sockets as it may; try again later, or another gateway")]
    GatewayFull,
    #[error("this gateway is shutting down; connect again")]
    ShuttingDown,
    #[error("there is no worker that could take the session; try again later")]
    NoWorkers,
    #[error("the user's worker holds as many sessions as it may: {0}")]
    WorkerFull(String),
    #[error("the user's worker did not take the session in time ({0}); try again")]
    WorkerUnavailable(String),
    #[error("the gateway and the worker do not understand each other: {0}")]
    Internal(String),
}

/// What a refusal looks like.
struct Row {
    status: StatusCode,
    reason: &'static str,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// The reason's name: stable, for programs and metrics.
    pub(crate) fn reason(&self) -> &'static str {
        self.row().reason
    }

    /// The answer that tells the client.
    pub(crate) fn to_response(&self) -> Response<Body> {
        let Row { status, reason, headers } = self.row();
        let error = json!({ "status": status.as_u16(), "reason": reason, "message": self.to_string() });
        let mut body = json!({ "error": error });
        match self {
            Refusal::UserElsewhere(Some(url)) => body["error"]["owner_url"] = json!(url),
            Refusal::SessionClosed(end) => {
                body["error"]["close_code"] = json!(end.code.as_u16());
                body["error"]["close_reason"] = json!(end.reason.as_str());
            }
            _ => {}
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().extend(headers);
        response
    }

    /// The table.
    fn row(&self) -> Row {
        use StatusCode as S;
        match self {
            Refusal::PathUnknown(_) => row(S::NOT_FOUND, "path_unknown"),
            Refusal::MetricsElsewhere => row(S::NOT_FOUND, "metrics_elsewhere"),
            Refusal::MethodNotAllowed(_) => {
                row(S::METHOD_NOT_ALLOWED, "method_not_allowed").with(ALLOW, "GET")
            }
            Refusal::ReadOnly(_) => row(S::METHOD_NOT_ALLOWED, "method_not_allowed").with(ALLOW, "GET, HEAD"),
            Refusal::HttpTooOld => upgrade(row(S::UPGRADE_REQUIRED, "http_too_old")),
            Refusal::HeadTooLarge { .. } => row(S::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large"),
            Refusal::HostInvalid => row(S::BAD_REQUEST, "host_invalid"),
            Refusal::UpgradeRequired => upgrade(row(S::UPGRADE_REQUIRED, "upgrade_required")),
            Refusal::ConnectionNotUpgrade => row(S::BAD_REQUEST, "connection_not_upgrade"),
            Refusal::VersionNotSupported => upgrade(row(S::UPGRADE_REQUIRED, "version_not_supported")),
            Refusal::KeyInvalid => row(S::BAD_REQUEST, "key_invalid"),
            Refusal::BodyNotAllowed => row(S::BAD_REQUEST, "body_not_allowed"),
            Refusal::BodyUnreadable(_) => row(S::PAYLOAD_TOO_LARGE, "body_unreadable"),
            Refusal::ResumeInvalid(_) => row(S::BAD_REQUEST, "resume_invalid"),
            Refusal::DeviceInvalid => row(S::BAD_REQUEST, "device_invalid"),
            Refusal::MailboxInvalid => row(S::BAD_REQUEST, "mailbox_invalid"),
            Refusal::Origin(error) => row(S::FORBIDDEN, error.reason()),
            Refusal::Token(error) => token_row(error),
            Refusal::SubprotocolsTooMany { .. } => row(S::BAD_REQUEST, "subprotocols_too_many"),
            Refusal::Auth(error) => auth_row(error),
            Refusal::UserElsewhere(url) => elsewhere_row(url.as_deref()),
            Refusal::SessionClosed(_) => row(S::CONFLICT, "session_closed"),
            Refusal::HandshakesBusy => again(row(S::TOO_MANY_REQUESTS, "handshakes_busy"), SOON),
            Refusal::SessionsTooMany(_) => again(row(S::TOO_MANY_REQUESTS, "sessions_too_many"), LATER),
            Refusal::GroupsTooMany(_) => row(S::BAD_REQUEST, "groups_too_many"),
            Refusal::GatewayFull => again(row(S::SERVICE_UNAVAILABLE, "gateway_full"), LATER),
            Refusal::ShuttingDown => again(row(S::SERVICE_UNAVAILABLE, "shutting_down"), SOON),
            Refusal::NoWorkers => again(row(S::SERVICE_UNAVAILABLE, "no_workers"), LATER),
            Refusal::WorkerFull(_) => again(row(S::SERVICE_UNAVAILABLE, "worker_full"), LATER),
            Refusal::WorkerUnavailable(_) => again(row(S::SERVICE_UNAVAILABLE, "worker_unavailable"), SOON),
            Refusal::Internal(_) => row(S::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl Row {
    fn with(mut self, name: HeaderName, value: &str) -> Self {
        // A value that cannot stand in a header (an owner's odd address) is left out; the body has it.
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }
}

fn row(status: StatusCode, reason: &'static str) -> Row {
    Row { status, reason, headers: Vec::new() }
}

/// RFC 9110 section 15.5.22, RFC 6455 section 4.4.
fn upgrade(row: Row) -> Row {
    row.with(UPGRADE, "websocket").with(CONNECTION, "Upgrade").with(SEC_WEBSOCKET_VERSION, "13")
}

fn again(row: Row, after: Duration) -> Row {
    let seconds = after.as_secs().to_string();
    row.with(RETRY_AFTER, &seconds)
}

fn token_row(error: &TokenError) -> Row {
    let reason = error.reason();
    match error {
        TokenError::Missing { .. } | TokenError::Blank { .. } => {
            row(StatusCode::UNAUTHORIZED, reason).with(WWW_AUTHENTICATE, "Bearer")
        }
        TokenError::TooLong { .. } => row(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason),
        TokenError::NotUtf8 { .. }
        | TokenError::ControlCharacter { .. }
        | TokenError::AloneAsSubprotocol { .. } => row(StatusCode::BAD_REQUEST, reason),
    }
}

/// A token that names what cannot be is a bad request; one that proves nothing is a missing proof (RFC 6750 section 3.1).
fn auth_row(error: &AuthError) -> Row {
    match error {
        AuthError::UserInvalid(_) | AuthError::GroupInvalid(_) | AuthError::TooManyGroups { .. } => {
            row(StatusCode::BAD_REQUEST, error.reason())
        }
        _ => row(StatusCode::UNAUTHORIZED, error.reason())
            .with(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""),
    }
}

fn elsewhere_row(url: Option<&str>) -> Row {
    let row = row(StatusCode::MISDIRECTED_REQUEST, "user_elsewhere");
    match url {
        Some(url) => row.with(OWNER_URL, url),
        None => row,
    }
}

#[cfg(test)]
mod tests {
    use ringway_session::CloseCode;

    use super::*;

    type Case = (Refusal, u16, &'static str, &'static [&'static str]);

    fn refusals() -> Vec<Case> {
        let of_parameters: [Case; 3] = [
            (Refusal::ResumeInvalid("what"), 400, "resume_invalid", &[]),
            (Refusal::DeviceInvalid, 400, "device_invalid", &[]),
            (Refusal::MailboxInvalid, 400, "mailbox_invalid", &[]),
        ];
        refusals_of_requests().into_iter().chain(of_parameters).collect()
    }

    fn refusals_of_requests() -> Vec<Case> {
        use ringway_auth::TokenSource;
        let found_in = || TokenSource::Bearer;
        let too_long = TokenError::TooLong { found_in: found_in(), bytes: 2, bytes_max: 1 };
        let url = "wss://w2.example.com/ws";
        vec![
            (Refusal::PathUnknown("/ws".into()), 404, "path_unknown", &[]),
            (Refusal::MetricsElsewhere, 404, "metrics_elsewhere", &[]),
            (Refusal::MethodNotAllowed("PUT".into()), 405, "method_not_allowed", &["allow"]),
            (Refusal::ReadOnly("POST".into()), 405, "method_not_allowed", &["allow"]),
            (Refusal::HttpTooOld, 426, "http_too_old", &["upgrade", "sec-websocket-version"]),
            (Refusal::HeadTooLarge { bytes: 2, bytes_max: 1 }, 431, "head_too_large", &[]),
            (Refusal::HostInvalid, 400, "host_invalid", &[]),
            (Refusal::UpgradeRequired, 426, "upgrade_required", &["upgrade", "sec-websocket-version"]),
            (Refusal::ConnectionNotUpgrade, 400, "connection_not_upgrade", &[]),
            (Refusal::VersionNotSupported, 426, "version_not_supported", &["sec-websocket-version"]),
            (Refusal::KeyInvalid, 400, "key_invalid", &[]),
            (Refusal::BodyNotAllowed, 400, "body_not_allowed", &[]),
            (Refusal::BodyUnreadable(1), 413, "body_unreadable", &[]),
            (OriginError::Missing.into(), 403, "origin_missing", &[]),
            (OriginError::Malformed.into(), 403, "origin_malformed", &[]),
            (OriginError::NotAllowed { origin: "null".into() }.into(), 403, "origin_not_allowed", &[]),
            (TokenError::Missing { looked_in: vec![] }.into(), 401, "token_missing", &["www-authenticate"]),
            (TokenError::Blank { found_in: found_in() }.into(), 401, "token_blank", &["www-authenticate"]),
            (too_long.into(), 431, "token_too_long", &[]),
            (TokenError::NotUtf8 { found_in: found_in() }.into(), 400, "token_not_utf8", &[]),
            (
                TokenError::ControlCharacter { found_in: found_in() }.into(),
                400,
                "token_control_character",
                &[],
            ),
            (TokenError::AloneAsSubprotocol { prefix: "t.".into() }.into(), 400, "subprotocol_missing", &[]),
            (Refusal::SubprotocolsTooMany { count_max: 1, bytes_max: 1 }, 400, "subprotocols_too_many", &[]),
            (AuthError::SignatureInvalid.into(), 401, "signature_invalid", &["www-authenticate"]),
            (
                AuthError::UserInvalid(ringway_auth::NameError::Blank { kind: "user" }).into(),
                400,
                "user_invalid",
                &[],
            ),
            (Refusal::UserElsewhere(Some(url.into())), 421, "user_elsewhere", &["ringway-owner-url"]),
            (Refusal::UserElsewhere(None), 421, "user_elsewhere", &[]),
            (
                Refusal::SessionClosed(End::new(CloseCode::REPLACED, "a newer one")),
                409,
                "session_closed",
                &[],
            ),
            (Refusal::HandshakesBusy, 429, "handshakes_busy", &["retry-after"]),
            (Refusal::SessionsTooMany("4".into()), 429, "sessions_too_many", &["retry-after"]),
            (Refusal::GroupsTooMany("65".into()), 400, "groups_too_many", &[]),
            (AuthError::TooManyGroups { count: 2, groups_max: 1 }.into(), 400, "groups_too_many", &[]),
            (Refusal::GatewayFull, 503, "gateway_full", &["retry-after"]),
            (Refusal::ShuttingDown, 503, "shutting_down", &["retry-after"]),
            (Refusal::NoWorkers, 503, "no_workers", &["retry-after"]),
            (Refusal::WorkerFull("9".into()), 503, "worker_full", &["retry-after"]),
            (Refusal::WorkerUnavailable("link".into()), 503, "worker_unavailable", &["retry-after"]),
            (Refusal::Internal("?".into()), 500, "internal", &[]),
        ]
    }

    #[test]
    fn every_refusal_has_its_status_reason_and_headers() {
        for (refusal, status, reason, headers) in refusals() {
            let response = refusal.to_response();
            assert_eq!((response.status().as_u16(), refusal.reason()), (status, reason));
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            for header in headers {
                assert!(response.headers().contains_key(*header), "{reason} has {header}");
            }
        }
    }

    #[test]
    fn the_document_has_the_same_table() {
        let document = include_str!("../../../docs/refusals.md");
        for (refusal, status, reason, _) in refusals() {
            let is_its_row = |line: &&str| line.starts_with(&format!("| {status} | `{reason}` |"));
            assert!(
                document.lines().any(|line| is_its_row(&line)) || refusal.is_foreign(),
                "docs/refusals.md lacks {status} {reason}"
            );
        }
    }

    impl Refusal {
        /// Reasons of a token that proves nothing are the authenticator's, and listed there together.
        fn is_foreign(&self) -> bool {
            matches!(self, Refusal::Auth(error) if !matches!(error, AuthError::UserInvalid(_)))
        }
    }
}
