//! Every way in which a request is not carried out: one enum, one table. What the cluster refuses keeps its reason and has the
//! status of the map in `ringway-proto`; the rest is about HTTP, and listed in `docs/http-api.md`, which a test holds. Who is not
//! let in has its connection closed, too.

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use ringway_proto::{Reason, Retry};
use ringway_sender::SendError;
use serde_json::{Value, json};

use crate::Body;

/// After how many seconds to try again what may be tried again.
const RETRY_AFTER_SECONDS: &str = "1";

/// Why a request is not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("nothing is at this path; /v1/openapi.json says what there is")]
    PathUnknown,
    #[error("this path takes {allow}")]
    MethodNotAllowed { allow: &'static str },
    #[error("a key is needed, as `Authorization: Bearer KEY`, once")]
    KeyMissing,
    #[error("the key is none of those that count here (`api.keys`, `api.keys_file`)")]
    KeyUnknown,
    #[error("without a key only requests are answered whose `Host` is localhost or a loopback address")]
    HostForeign,
    #[error("the body must be JSON: `Content-Type: application/json` (curl: `--json` instead of `-d`)")]
    NotJson,
    #[error("the body is larger than {bytes_max} bytes")]
    BodyTooLarge { bytes_max: usize },
    #[error("the body did not come in time")]
    BodyTooSlow,
    #[error("too many requests are under way here; try again in a moment, with some jitter")]
    Busy,
    #[error("{0}")]
    Invalid(String),
    #[error("{}", told(.0))]
    Cluster(#[from] SendError),
}

/// What a refusal looks like.
struct Row {
    status: u16,
    reason: &'static str,
    header: Option<(HeaderName, &'static str)>,
}

impl Refusal {
    /// The reason's name: stable, for programs.
    pub(crate) fn reason(&self) -> &'static str {
        self.row().reason
    }

    /// The answer that tells the caller.
    pub(crate) fn to_response(&self) -> Response<Body> {
        let Row { status, reason, header } = self.row();
        let mut error = json!({ "status": status, "reason": reason, "message": self.to_string() });
        if let Refusal::Cluster(refused) = self {
            error["maybe_delivered"] = json!(refused.maybe_delivered);
            if !refused.message_id.is_empty() {
                error["message_id"] = json!(refused.message_id);
            }
        }
        let mut response = respond(status, &json!({ "error": error }));
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if self.is_of_a_stranger() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Whether the caller was not let in.
    fn is_of_a_stranger(&self) -> bool {
        matches!(self, Refusal::KeyMissing | Refusal::KeyUnknown | Refusal::HostForeign)
    }

    /// The table.
    fn row(&self) -> Row {
        let row = |status, reason| Row { status, reason, header: None };
        match self {
            Refusal::PathUnknown => row(404, "PATH_UNKNOWN"),
            Refusal::MethodNotAllowed { allow } => row(405, "METHOD_NOT_ALLOWED").with(ALLOW, allow),
            Refusal::KeyMissing => of(Reason::Unauthenticated).with(WWW_AUTHENTICATE, "Bearer"),
            Refusal::KeyUnknown => {
                of(Reason::Unauthenticated).with(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")
            }
            Refusal::HostForeign => row(403, "HOST_FOREIGN"),
            Refusal::NotJson => row(415, "NOT_JSON"),
            Refusal::BodyTooLarge { .. } => of(Reason::MessageTooLarge),
            Refusal::BodyTooSlow => row(408, "BODY_TOO_SLOW"),
            Refusal::Busy => of(Reason::Overloaded),
            Refusal::Invalid(_) => of(Reason::InvalidArgument),
            // It is this node's secret that the other one does not take, and no fault of the caller.
            Refusal::Cluster(error) if error.reason() == Reason::Unauthenticated => of(Reason::Internal),
            Refusal::Cluster(error) => of(error.reason()),
        }
    }
}

impl Row {
    fn with(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }
}

/// An answer of this status with a JSON body. It ends with a line break, for those who see it at a terminal.
pub(crate) fn respond(status: u16, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{value}\n")));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn of(reason: Reason) -> Row {
    let header = (reason.retry() == Retry::Safe).then_some((RETRY_AFTER, RETRY_AFTER_SECONDS));
    Row { status: reason.http_status(), reason: reason.name(), header }
}

fn told(error: &SendError) -> String {
    match error.reason() {
        Reason::Unauthenticated => "the cluster does not take this node's secret".to_owned(),
        _ => error.refusal.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(reason: Reason) -> Refusal {
        let refusal = ringway_proto::Refusal::new(reason, "what and how");
        let message_id = "m1".to_owned();
        Refusal::Cluster(SendError { refusal, message_id, attempts: 1, maybe_delivered: true })
    }

    type Case = (Refusal, u16, &'static str, Option<(HeaderName, &'static str)>);

    fn of_http() -> [Case; 11] {
        let invalid_token = "Bearer error=\"invalid_token\"";
        [
            (Refusal::PathUnknown, 404, "PATH_UNKNOWN", None),
            (Refusal::MethodNotAllowed { allow: "POST" }, 405, "METHOD_NOT_ALLOWED", Some((ALLOW, "POST"))),
            (Refusal::KeyMissing, 401, "UNAUTHENTICATED", Some((WWW_AUTHENTICATE, "Bearer"))),
            (Refusal::KeyUnknown, 401, "UNAUTHENTICATED", Some((WWW_AUTHENTICATE, invalid_token))),
            (Refusal::HostForeign, 403, "HOST_FOREIGN", None),
            (Refusal::NotJson, 415, "NOT_JSON", None),
            (Refusal::BodyTooLarge { bytes_max: 1 }, 413, "MESSAGE_TOO_LARGE", None),
            (Refusal::BodyTooSlow, 408, "BODY_TOO_SLOW", None),
            (Refusal::Busy, 429, "OVERLOADED", Some((RETRY_AFTER, "1"))),
            (Refusal::Invalid("what".into()), 400, "INVALID_ARGUMENT", None),
            (cluster(Reason::Unauthenticated), 500, "INTERNAL", None),
        ]
    }

    #[test]
    fn every_refusal_has_its_status_reason_and_header() {
        let again = Some((RETRY_AFTER, "1"));
        let of_the_cluster = [
            (cluster(Reason::NoWorkers), 503, "NO_WORKERS", again.clone()),
            (cluster(Reason::StoreFull), 503, "STORE_FULL", again),
            (cluster(Reason::ConnectionLost), 502, "CONNECTION_LOST", None),
            (cluster(Reason::DeadlineExceeded), 504, "DEADLINE_EXCEEDED", None),
            (cluster(Reason::SessionNotFound), 404, "SESSION_NOT_FOUND", None),
        ];
        for (refusal, status, reason, header) in of_http().into_iter().chain(of_the_cluster) {
            let response = refusal.to_response();
            assert_eq!((response.status().as_u16(), refusal.reason()), (status, reason));
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            let told =
                [ALLOW, RETRY_AFTER, WWW_AUTHENTICATE].map(|name| response.headers().get(name).cloned());
            let told: Vec<_> = told.into_iter().flatten().collect();
            let expected: Vec<_> = header.into_iter().map(|(_, value)| value).collect();
            assert_eq!(told, expected, "{reason}");
            let closes = response.headers().contains_key(CONNECTION);
            assert_eq!(closes, ["UNAUTHENTICATED", "HOST_FOREIGN"].contains(&reason), "{reason}");
        }
    }

    #[test]
    fn the_page_has_the_same_table() {
        let page = include_str!("../../../docs/http-api.md");
        for (refusal, status, reason, _) in of_http() {
            let row = format!("| {status} | `{reason}` |");
            let told = page.lines().any(|line| line.starts_with(&row));
            assert!(told || matches!(refusal, Refusal::Cluster(_)), "docs/http-api.md lacks {row}");
        }
    }
}
