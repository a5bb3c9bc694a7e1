//! What can go wrong with etcd.

use std::error::Error;

use ringway_cluster::{RegistryError, with_causes};
use tonic::{Code, Status};

/// The name of this registry in errors, logs and metrics.
pub(crate) const REGISTRY: &str = "etcd";

/// Why etcd did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EtcdError {
    /// Nobody knows whether it was done: asking again may help.
    #[error("{0}")]
    Unreachable(String),
    /// etcd will not do it.
    #[error("{0}")]
    Refused(String),
}

impl EtcdError {
    /// An error below gRPC, with its causes.
    pub(crate) fn transport(endpoint: &str, error: &dyn Error) -> Self {
        Self::Unreachable(format!("{endpoint}: {}", with_causes(error)))
    }

    /// A status. Whatever etcd itself says no to is refused.
    pub(crate) fn status(endpoint: &str, status: &Status) -> Self {
        // Of the token that it gave us, etcd says this when it has forgotten it: the next connection has a new one.
        let forgotten = ["invalid auth token", "revision of auth store is old"];
        let stale = forgotten.iter().any(|message| status.message().contains(message));
        match status.code() {
            Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
                if !stale =>
            {
                Self::Refused(format!("{endpoint}: {}", status.message()))
            }
            _ => match status.source() {
                Some(source) => Self::transport(endpoint, source),
                None => Self::Unreachable(format!("{endpoint}: {} ({:?})", status.message(), status.code())),
            },
        }
    }

    pub(crate) fn late(endpoint: &str) -> Self {
        Self::Unreachable(format!("{endpoint}: no answer in time"))
    }
}

impl From<EtcdError> for RegistryError {
    fn from(error: EtcdError) -> Self {
        match error {
            EtcdError::Unreachable(reason) => Self::Unreachable { registry: REGISTRY, reason },
            EtcdError::Refused(reason) => Self::Refused { registry: REGISTRY, reason },
        }
    }
}
