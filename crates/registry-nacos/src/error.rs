//! What can go wrong with Nacos.

use std::error::Error;

use ringway_cluster::{RegistryError, with_causes};

/// The name of this registry in errors, logs and metrics.
pub(crate) const REGISTRY: &str = "nacos";

/// Why Nacos did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NacosError {
    /// Nobody knows whether it was done: asking again may help.
    #[error("{0}")]
    Unreachable(String),
    /// Nacos will not do it.
    #[error("{0}")]
    Refused(String),
}

impl NacosError {
    /// An error below Nacos's messages, with its causes.
    pub(crate) fn transport(server: &str, error: &dyn Error) -> Self {
        Self::Unreachable(format!("{server}: {}", with_causes(error)))
    }

    pub(crate) fn status(server: &str, status: &tonic::Status) -> Self {
        match status.source() {
            Some(source) => Self::transport(server, source),
            None => Self::Unreachable(format!("{server}: {} ({:?})", status.message(), status.code())),
        }
    }

    pub(crate) fn late(server: &str) -> Self {
        Self::Unreachable(format!("{server}: no answer in time"))
    }
}

impl From<NacosError> for RegistryError {
    fn from(error: NacosError) -> Self {
        match error {
            NacosError::Unreachable(reason) => Self::Unreachable { registry: REGISTRY, reason },
            NacosError::Refused(reason) => Self::Refused { registry: REGISTRY, reason },
        }
    }
}
