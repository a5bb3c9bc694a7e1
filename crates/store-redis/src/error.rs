//! What can go wrong with Redis, mapped once.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use ringway_store::StoreError;

/// The name of this store in errors and logs.
pub(crate) const STORE: &str = "redis";

/// What an error of Redis means for what was asked.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Nobody knows whether it was done.
    ReplyLost(StoreError),
    /// It was not done.
    NotDone(StoreError),
    /// An offset is not the next one any more.
    NotNext,
    /// A key that must be there is not.
    NoKey,
    /// Redis does not know a script. It was not run.
    NoScript,
}

impl Failure {
    pub(crate) fn of(error: &RedisError) -> Self {
        let reason = error.to_string();
        let unavailable = StoreError::Unavailable { store: STORE, reason: reason.clone() };
        let refused = StoreError::Refused { store: STORE, reason: reason.clone() };
        match error.kind() {
            ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound => {
                Self::ReplyLost(unavailable)
            }
            ErrorKind::Server(kind) => Self::of_server(kind, &reason, unavailable, refused),
            ErrorKind::Extension => match code(error).as_str() {
                "OOM" => Self::NotDone(StoreError::Full { store: STORE, reason }),
                "MISCONF" | "NOREPLICAS" | "BUSY" | "UNBLOCKED" => Self::NotDone(unavailable),
                _ => Self::NotDone(refused),
            },
            _ => Self::NotDone(refused),
        }
    }

    fn of_server(kind: ServerErrorKind, reason: &str, unavailable: StoreError, refused: StoreError) -> Self {
        match kind {
            ServerErrorKind::ExecAbort if reason.contains("OOM") => {
                Self::NotDone(StoreError::Full { store: STORE, reason: reason.to_owned() })
            }
            ServerErrorKind::BusyLoading
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ExecAbort => Self::NotDone(unavailable),
            ServerErrorKind::NoScript => Self::NoScript,
            _ if reason.contains("equal or smaller") => Self::NotNext,
            _ if reason.contains("no such key") => Self::NoKey,
            _ => Self::NotDone(refused),
        }
    }

    /// For callers to whom the difference does not matter.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::ReplyLost(error) | Self::NotDone(error) => error,
            Self::NotNext | Self::NoKey | Self::NoScript => StoreError::Conflict,
        }
    }
}

/// Whether another connection may lead to a better answer.
pub(crate) fn spoils_connection(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::Parse
            | ErrorKind::AuthenticationFailed
            | ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
    ) || code(error) == "NOAUTH"
}

fn code(error: &RedisError) -> String {
    error.code().unwrap_or_default().to_owned()
}
