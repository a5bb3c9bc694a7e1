//! Making tokens: HS256, for tests, first steps and back ends without an identity provider.

use std::fmt;
use std::time::SystemTime;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};

use super::{Secret, SignError};
use crate::{Token, check_group, check_user};

/// What a token shall say.
#[derive(Clone, Debug, Default)]
pub struct TokenRequest {
    /// The user, for claim `sub`.
    pub user: String,
    /// The groups, for claim `groups`; none: no claim.
    pub groups: Vec<String>,
    /// When the token ends, for claim `exp`, in whole seconds; `None`: never.
    pub expires_at: Option<SystemTime>,
    /// Further claims: `aud`, `iss`, whatever the application reads. They cannot be `sub`, `groups`, `exp` or
    /// `iat`.
    pub extra: Map<String, Value>,
}

/// Signs tokens with a shared secret.
pub struct JwtSigner {
    key: EncodingKey,
}

impl JwtSigner {
    /// A signer with this secret.
    pub fn new(secret: &Secret) -> Self {
        Self { key: EncodingKey::from_secret(secret.expose()) }
    }

    /// Signs a token as asked, issued (`iat`) at `now`.
    ///
    /// # Errors
    /// [`SignError`] if a name cannot be, an extra claim is one of the signer's own, or a time lies before
    /// 1970.
    pub fn sign(&self, request: &TokenRequest, now: SystemTime) -> Result<Token, SignError> {
        let claims = claims(request, now)?;
        Ok(Token::new(jsonwebtoken::encode(&Header::default(), &claims, &self.key)?))
    }
}

impl fmt::Debug for JwtSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSigner").finish_non_exhaustive()
    }
}

fn claims(request: &TokenRequest, now: SystemTime) -> Result<Map<String, Value>, SignError> {
    check_user(&request.user)?;
    request.groups.iter().try_for_each(|group| check_group(group))?;
    let reserved = ["sub", "groups", "exp", "iat"].into_iter().find(|name| request.extra.contains_key(*name));
    if let Some(claim) = reserved {
        return Err(SignError::ReservedClaim { claim: claim.to_owned() });
    }
    let mut claims = request.extra.clone();
    claims.insert("sub".to_owned(), json!(request.user));
    claims.insert("iat".to_owned(), json!(seconds(now, "iat")?));
    if !request.groups.is_empty() {
        claims.insert("groups".to_owned(), json!(request.groups));
    }
    if let Some(end) = request.expires_at {
        claims.insert("exp".to_owned(), json!(seconds(end, "exp")?));
    }
    Ok(claims)
}

fn seconds(time: SystemTime, claim: &'static str) -> Result<u64, SignError> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| SignError::Time { claim })?;
    Ok(since.as_secs())
}
