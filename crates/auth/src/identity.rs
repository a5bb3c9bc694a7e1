//! The edge between a credential and the rest of the system: the [`Authenticator`] trait and the
//! [`Identity`] it answers with.

use std::sync::Arc;
use std::time::SystemTime;

use ringway_session::PermissionsClaim;

use crate::{AuthError, Token};

/// Turns a token into who it stands for.
///
/// Synchronous on purpose: every implementation keeps its keys in memory, so one call costs one signature
/// check at most and may run on an async task.
pub trait Authenticator: Send + Sync {
    /// Verifies `token` as of `now` and says whom it names.
    ///
    /// # Errors
    /// [`AuthError`] names the first thing that was wrong; its [`AuthError::reason`] is a stable code.
    fn authenticate(&self, token: &Token, now: SystemTime) -> Result<Identity, AuthError>;

    /// The authenticator's name for logs and metrics: `plain`, `jwt`.
    fn mode(&self) -> &'static str;
}

/// Whom a verified token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user, the cluster's routing key; satisfies [`crate::check_user`].
    pub user: String,
    /// The groups the token puts the session into, without duplicates, in the token's order; each
    /// satisfies [`crate::check_group`].
    pub groups: Vec<String>,
    /// What the token says of its bearer's permissions.
    pub permissions: PermissionsClaim,
    /// The token's claims as the JSON object that was signed, byte for byte; `None` if the token carries
    /// none (mode `plain`).
    pub claims: Option<Arc<str>>,
    /// From when on the token is not accepted any more, the allowance for clock skew included; `None` if it always is.
    pub expires_at: Option<SystemTime>,
}
