//! The rules for requests about sessions: targets, filters, limits, close codes.

use ringway_proto::Refusal;
use ringway_proto::v1::list_sessions_request::Filter;
use ringway_proto::v1::session_target::Target;
use ringway_proto::v1::{self, CloseSessionsRequest, JoinGroupRequest, LeaveGroupRequest};
pub use ringway_session::Target as SessionTarget;
use ringway_session::close::REASON_BYTES_MAX;
use ringway_session::{CloseCode, GroupId, SessionId};

use super::{RequestRules, group, invalid, user};

/// How many sessions a list shows when the caller does not say.
pub const LIST_LIMIT_DEFAULT: u32 = 1_000;
/// How many sessions a list shows at most.
pub const LIST_LIMIT_MAX: u32 = 10_000;

/// A request to close that has passed the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedClose {
    /// Whose.
    pub target: SessionTarget,
    /// What the clients are told.
    pub code: CloseCode,
    /// The same in words, at most 123 bytes.
    pub reason: String,
}

/// A request to join or leave a group that has passed the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedGroupChange {
    /// Whose sessions.
    pub target: SessionTarget,
    /// Which group.
    pub group: GroupId,
}

impl RequestRules {
    /// Checks a session id.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn session_id(&self, id: &str) -> Result<SessionId, Refusal> {
        session_id(id)
    }

    /// Checks a target.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn target(&self, given: Option<&v1::SessionTarget>) -> Result<SessionTarget, Refusal> {
        target(given)
    }

    /// Checks a list's limit and puts the default in its place when it is 0.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn list_limit(&self, limit: u32) -> Result<u32, Refusal> {
        list_limit(limit)
    }

    /// Checks a request to close; code 0 means "closed by the back end".
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn close(&self, request: &CloseSessionsRequest) -> Result<CheckedClose, Refusal> {
        let target = target(request.target.as_ref())?;
        let code = match request.code {
            0 => CloseCode::CLOSED_BY_BACKEND,
            code => CloseCode::chosen(code).ok_or_else(|| {
                invalid(format!(
                    "the close code {code} may not be sent; use 1000, 1001, 1008, 1011 to 1013, or 3000 to 4999"
                ))
            })?,
        };
        let bytes = request.reason.len();
        if bytes > REASON_BYTES_MAX {
            let message =
                format!("the close reason has {bytes} bytes; at most {REASON_BYTES_MAX} are allowed");
            return Err(invalid(message));
        }
        Ok(CheckedClose { target, code, reason: request.reason.clone() })
    }

    /// Checks a request to join a group.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn join_group(&self, request: &JoinGroupRequest) -> Result<CheckedGroupChange, Refusal> {
        Ok(CheckedGroupChange { target: target(request.target.as_ref())?, group: group(&request.group)? })
    }

    /// Checks a request to leave a group.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn leave_group(&self, request: &LeaveGroupRequest) -> Result<CheckedGroupChange, Refusal> {
        Ok(CheckedGroupChange { target: target(request.target.as_ref())?, group: group(&request.group)? })
    }
}

pub(crate) fn session_id(id: &str) -> Result<SessionId, Refusal> {
    id.parse().map_err(|error: ringway_session::SessionIdError| invalid(error.to_string()))
}

pub(crate) fn target(target: Option<&v1::SessionTarget>) -> Result<SessionTarget, Refusal> {
    match target.and_then(|target| target.target.as_ref()) {
        Some(Target::SessionId(id)) => session_id(id).map(SessionTarget::Session),
        Some(Target::User(name)) => user(name).map(SessionTarget::User),
        None => Err(invalid("the target is missing; name a session_id or a user")),
    }
}

pub(crate) fn list_limit(limit: u32) -> Result<u32, Refusal> {
    match limit {
        0 => Ok(LIST_LIMIT_DEFAULT),
        1..=LIST_LIMIT_MAX => Ok(limit),
        _ => Err(invalid(format!(
            "the limit is {limit}; it must be 1 to {LIST_LIMIT_MAX}, or 0 for the default"
        ))),
    }
}

pub(crate) fn check_filter(filter: Option<&Filter>) -> Result<(), Refusal> {
    match filter {
        None => Ok(()),
        Some(Filter::User(name)) => user(name).map(drop),
        Some(Filter::Group(name)) => group(name).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use ringway_session::UserId;

    use super::*;

    const RULES: RequestRules = RequestRules { message_bytes_max: 8 };

    fn of_user(name: &str) -> Option<v1::SessionTarget> {
        Some(v1::SessionTarget { target: Some(Target::User(name.into())) })
    }

    #[test]
    fn targets() {
        let of_session = |id: &str| v1::SessionTarget { target: Some(Target::SessionId(id.into())) };
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(RULES.target(Some(&of_session(id))), Ok(SessionTarget::Session(id.parse().unwrap())));
        let alice = SessionTarget::User(UserId::new("alice").unwrap());
        assert_eq!(RULES.target(of_user("alice").as_ref()), Ok(alice));
        for bad in [None, Some(of_session("x")), of_user(""), Some(v1::SessionTarget { target: None })] {
            assert!(RULES.target(bad.as_ref()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn close_codes_and_reasons() {
        let close = |code, reason: String| {
            let request = CloseSessionsRequest { target: of_user("alice"), code, reason, routing: None };
            RULES.close(&request).map(|checked| checked.code.as_u16()).map_err(|refusal| refusal.message)
        };
        assert_eq!(close(0, String::new()), Ok(4401));
        assert_eq!(close(1008, "x".repeat(123)), Ok(1008));
        assert!(close(1008, "x".repeat(124)).unwrap_err().contains("124 bytes"));
        assert!(close(1005, String::new()).unwrap_err().contains("1005"));
    }

    #[test]
    fn limits() {
        let cases = [(0, Some(1_000)), (1, Some(1)), (10_000, Some(10_000)), (10_001, None)];
        for (limit, expected) in cases {
            assert_eq!(RULES.list_limit(limit).ok(), expected, "{limit}");
        }
    }
}
