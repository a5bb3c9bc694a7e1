//! The one map between the reasons for which a node refuses a call and gRPC statuses.
//!
//! A status carries its reason as a `google.rpc.ErrorInfo` detail of domain `ringway`, so that callers decide by
//! reason and not by text. The same table is in `docs/status-codes.md`.

use std::collections::HashMap;
use std::fmt;

use ringway_ring::RingVersion;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::v1::PublishError;

const DOMAIN: &str = "ringway";
const RING_VERSION: &str = "ring_version";

/// Why a call was refused or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A field breaks a rule.
    InvalidArgument,
    /// The payload is larger than the cluster takes.
    MessageTooLarge,
    /// The cluster secret is missing or wrong.
    Unauthenticated,
    /// The node does not own the key, and the call was forwarded already.
    NotOwner,
    /// An earlier message for the same target on the same stream was refused, and this one shall not overtake it.
    OutOfTurn,
    /// The ring is empty.
    NoWorkers,
    /// The node is about to leave.
    Draining,
    /// The owner could not be reached: nothing was sent to it.
    Unreachable,
    /// The connection broke after the call was sent: it may or may not have been carried out.
    ConnectionLost,
    /// The node has no room for the call now.
    Overloaded,
    /// The time for the call ran out: it may or may not have been carried out.
    DeadlineExceeded,
    /// No worker holds the session that was named.
    SessionNotFound,
    /// The list of members is not the workers' to change.
    MembersFixed,
    /// The cluster stores nothing, and the message was to be stored.
    NoMailboxes,
    /// The store of mailboxes cannot be asked now. The message may be stored; sent again with its id it is not stored twice.
    StoreUnavailable,
    /// The store of mailboxes takes nothing more for now.
    StoreFull,
    /// A defect.
    Internal,
}

/// Whether a refused call may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would be refused again.
    Never,
    /// It was surely not carried out; try again, with a fresh ring.
    Safe,
    /// It may have been carried out; trying again may repeat it.
    Ambiguous,
}

impl Reason {
    const ALL: [Reason; 17] = [
        Reason::InvalidArgument,
        Reason::MessageTooLarge,
        Reason::Unauthenticated,
        Reason::NotOwner,
        Reason::OutOfTurn,
        Reason::NoWorkers,
        Reason::Draining,
        Reason::Unreachable,
        Reason::ConnectionLost,
        Reason::Overloaded,
        Reason::DeadlineExceeded,
        Reason::SessionNotFound,
        Reason::MembersFixed,
        Reason::NoMailboxes,
        Reason::StoreUnavailable,
        Reason::StoreFull,
        Reason::Internal,
    ];

    /// The map itself: wire name, status code, HTTP status, and whether a retry helps.
    fn row(self) -> (&'static str, Code, u16, Retry) {
        match self {
            Reason::InvalidArgument => ("INVALID_ARGUMENT", Code::InvalidArgument, 400, Retry::Never),
            Reason::MessageTooLarge => ("MESSAGE_TOO_LARGE", Code::InvalidArgument, 413, Retry::Never),
            Reason::Unauthenticated => ("UNAUTHENTICATED", Code::Unauthenticated, 401, Retry::Never),
            Reason::NotOwner => ("NOT_OWNER", Code::Aborted, 503, Retry::Safe),
            Reason::OutOfTurn => ("OUT_OF_TURN", Code::Aborted, 503, Retry::Safe),
            Reason::NoWorkers => ("NO_WORKERS", Code::Unavailable, 503, Retry::Safe),
            Reason::Draining => ("DRAINING", Code::Unavailable, 503, Retry::Safe),
            Reason::Unreachable => ("UNREACHABLE", Code::Unavailable, 503, Retry::Safe),
            Reason::ConnectionLost => ("CONNECTION_LOST", Code::Unknown, 502, Retry::Ambiguous),
            Reason::Overloaded => ("OVERLOADED", Code::ResourceExhausted, 429, Retry::Safe),
            Reason::DeadlineExceeded => ("DEADLINE_EXCEEDED", Code::DeadlineExceeded, 504, Retry::Ambiguous),
            Reason::SessionNotFound => ("SESSION_NOT_FOUND", Code::NotFound, 404, Retry::Never),
            Reason::MembersFixed => ("MEMBERS_FIXED", Code::FailedPrecondition, 409, Retry::Never),
            Reason::NoMailboxes => ("NO_MAILBOXES", Code::FailedPrecondition, 409, Retry::Never),
            Reason::StoreUnavailable => ("STORE_UNAVAILABLE", Code::Unavailable, 503, Retry::Safe),
            Reason::StoreFull => ("STORE_FULL", Code::ResourceExhausted, 503, Retry::Safe),
            Reason::Internal => ("INTERNAL", Code::Internal, 500, Retry::Never),
        }
    }

    /// The name on the wire and in metrics, such as `NOT_OWNER`.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The gRPC status code.
    pub fn code(self) -> Code {
        self.row().1
    }

    /// The status over HTTP (RFC 9110 section 15).
    pub fn http_status(self) -> u16 {
        self.row().2
    }

    /// Whether the call may be made again.
    pub fn retry(self) -> Retry {
        self.row().3
    }

    fn from_name(name: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// For a status without our detail: from a proxy, a transport, or an older node.
    fn from_code(code: Code) -> Reason {
        match code {
            Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => Reason::InvalidArgument,
            Code::Unauthenticated | Code::PermissionDenied => Reason::Unauthenticated,
            Code::Aborted => Reason::NotOwner,
            Code::ResourceExhausted => Reason::Overloaded,
            Code::DeadlineExceeded => Reason::DeadlineExceeded,
            Code::NotFound => Reason::SessionNotFound,
            Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DataLoss => Reason::ConnectionLost,
            Code::Ok | Code::AlreadyExists | Code::Unimplemented | Code::Internal => Reason::Internal,
        }
    }
}

/// A refused or failed call: the reason, the same in words, and the refusing node's ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// What was wrong and what would be right, safe to show to the caller.
    pub message: String,
    /// The refusing node's ring, if it said so; when it differs from the caller's, the caller should refresh.
    pub ring_version: Option<RingVersion>,
}

impl Refusal {
    /// A refusal that says nothing about the ring.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Refusal { reason, message: message.into(), ring_version: None }
    }

    /// The same, with the refusing node's ring.
    #[must_use]
    pub fn with_ring(mut self, version: RingVersion) -> Self {
        self.ring_version = Some(version);
        self
    }

    /// The status that tells a gRPC caller of it.
    pub fn to_status(&self) -> Status {
        let metadata: HashMap<String, String> =
            self.ring_version.iter().map(|version| (RING_VERSION.to_owned(), version.to_string())).collect();
        let details = ErrorDetails::with_error_info(self.reason.name(), DOMAIN, metadata);
        Status::with_error_details(self.reason.code(), self.message.clone(), details)
    }

    /// Reads a status back, whoever made it.
    pub fn from_status(status: &Status) -> Self {
        let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
        let reason = match &info {
            _ if is_connect_error(status) => Reason::Unreachable,
            Some(info) => Reason::from_name(&info.reason).unwrap_or_else(|| Reason::from_code(status.code())),
            None => Reason::from_code(status.code()),
        };
        let ring_version = info.and_then(|info| info.metadata.get(RING_VERSION)?.parse().ok());
        Refusal { reason, message: status.message().to_owned(), ring_version }
    }

    /// The same as an item of a Publish stream.
    pub fn to_publish_error(&self) -> PublishError {
        PublishError {
            code: self.reason.code() as i32,
            reason: self.reason.name().to_owned(),
            message: self.message.clone(),
            ring_version: self.ring_version.map_or(0, RingVersion::as_u64),
        }
    }

    /// Reads an item of a Publish stream back.
    pub fn from_publish_error(error: PublishError) -> Self {
        let reason =
            Reason::from_name(&error.reason).unwrap_or_else(|| Reason::from_code(Code::from_i32(error.code)));
        let ring_version = (error.ring_version != 0).then(|| RingVersion::from_u64(error.ring_version));
        Refusal { reason, message: error.message, ring_version }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.name(), self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        refusal.to_status()
    }
}

/// Whether the transport never had a connection, so that the call was surely not sent.
fn is_connect_error(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_comes_back_from_its_status_and_its_publish_error() {
        for reason in Reason::ALL {
            for ring_version in [None, Some(RingVersion::from_u64(0x1234))] {
                let refusal = Refusal { reason, message: "what and how".into(), ring_version };
                assert_eq!(Refusal::from_status(&refusal.to_status()), refusal);
                assert_eq!(Refusal::from_publish_error(refusal.to_publish_error()), refusal);
            }
        }
    }

    #[test]
    fn the_document_has_the_same_table() {
        let document = include_str!("../../../docs/status-codes.md");
        for reason in Reason::ALL {
            let row = format!("| `{}` | `{}` | {} |", reason.name(), code_name(reason), reason.http_status());
            assert!(document.lines().any(|line| line.starts_with(&row)), "docs/status-codes.md lacks {row}");
        }
    }

    /// `InvalidArgument` as gRPC writes it: `INVALID_ARGUMENT`.
    fn code_name(reason: Reason) -> String {
        let words = format!("{:?}", reason.code());
        let letters = words.char_indices().flat_map(|(index, letter)| {
            let gap = (index > 0 && letter.is_uppercase()).then_some('_');
            gap.into_iter().chain([letter.to_ascii_uppercase()])
        });
        letters.collect()
    }

    #[test]
    fn names_are_distinct() {
        let names: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }

    #[test]
    fn foreign_statuses_are_read_by_their_code() {
        let read = |code| Refusal::from_status(&Status::new(code, "")).reason;
        assert_eq!(read(Code::Unavailable), Reason::ConnectionLost);
        assert_eq!(read(Code::Unauthenticated), Reason::Unauthenticated);
        assert_eq!(read(Code::DeadlineExceeded), Reason::DeadlineExceeded);
    }
}
