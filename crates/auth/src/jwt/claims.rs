//! From verified claims to an identity: what a token says, and whether it may say it now and here.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::{JwtConfig, permissions};
use crate::{AuthError, Identity, check_group, check_user};

type Claims = Map<String, Value>;

/// Judges the claims in `payload` and reads the identity from them. The caller has verified the signature.
pub(super) fn identity(payload: String, config: &JwtConfig, now: SystemTime) -> Result<Identity, AuthError> {
    let claims: Claims = serde_json::from_str(&payload)
        .map_err(|_| AuthError::Malformed { problem: "its payload is not a JSON object" })?;
    let expires_at = check_times(&claims, config, now)?;
    check_issuer(&claims, &config.issuer)?;
    check_audience(&claims, &config.audience)?;
    Ok(Identity {
        user: user(&claims, &config.user_claim)?,
        groups: groups(&claims, &config.groups_claim, config.groups_max)?,
        permissions: permissions::read(find(&claims, &config.permissions_claim), &config.permissions_claim)?,
        claims: Some(Arc::from(payload)),
        expires_at,
    })
}

/// `exp` and `nbf` (RFC 7519 sections 4.1.4 and 4.1.5), each with the leeway in the token's favour. Answers
/// from when on the token is not accepted any more.
fn check_times(
    claims: &Claims,
    config: &JwtConfig,
    now: SystemTime,
) -> Result<Option<SystemTime>, AuthError> {
    let end = numeric_date(claims, "exp")?;
    if end.is_none() && config.require_exp {
        return Err(AuthError::ClaimMissing { claim: "exp" });
    }
    // Not accepted "on or after" that time.
    if let Some(ago) = end.and_then(|end| now.duration_since(end).ok())
        && ago >= config.leeway
    {
        return Err(AuthError::Expired { ago });
    }
    if let Some(wait) = numeric_date(claims, "nbf")?.and_then(|start| start.duration_since(now).ok())
        && wait > config.leeway
    {
        return Err(AuthError::NotYetValid { wait });
    }
    // An end so late that the leeway cannot be added to it is late enough.
    Ok(end.map(|end| end.checked_add(config.leeway).unwrap_or(end)))
}

/// A `NumericDate` (RFC 7519 section 2): seconds since 1970, perhaps with a fraction.
fn numeric_date(claims: &Claims, claim: &'static str) -> Result<Option<SystemTime>, AuthError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    value
        .as_f64()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        .map(Some)
        .ok_or(AuthError::ClaimInvalid { claim, expected: "a number of seconds since 1970" })
}

/// RFC 7519 section 4.1.1.
fn check_issuer(claims: &Claims, expected: &[String]) -> Result<(), AuthError> {
    if expected.is_empty() {
        return Ok(());
    }
    match claims.get("iss") {
        None => Err(AuthError::ClaimMissing { claim: "iss" }),
        Some(Value::String(issuer)) if expected.contains(issuer) => Ok(()),
        Some(Value::String(_)) => Err(AuthError::IssuerMismatch { expected: expected.to_vec() }),
        Some(_) => Err(AuthError::ClaimInvalid { claim: "iss", expected: "a string" }),
    }
}

/// RFC 7519 section 4.1.3: a token that names audiences must name one of ours, also if we have none.
fn check_audience(claims: &Claims, expected: &[String]) -> Result<(), AuthError> {
    let Some(value) = claims.get("aud") else {
        let fine = expected.is_empty();
        return if fine { Ok(()) } else { Err(AuthError::ClaimMissing { claim: "aud" }) };
    };
    let named = strings(value)
        .ok_or(AuthError::ClaimInvalid { claim: "aud", expected: "a string or an array of strings" })?;
    if named.iter().any(|name| expected.iter().any(|one| one == name)) {
        return Ok(());
    }
    Err(AuthError::AudienceMismatch { expected: expected.to_vec() })
}

fn user(claims: &Claims, claim: &str) -> Result<String, AuthError> {
    let user = match find(claims, claim) {
        None => return Err(AuthError::UserClaimMissing { claim: claim.to_owned() }),
        Some(Value::String(user)) => user.clone(),
        Some(Value::Number(id)) if id.is_i64() || id.is_u64() => id.to_string(),
        Some(_) => return Err(AuthError::UserClaimInvalid { claim: claim.to_owned() }),
    };
    check_user(&user).map_err(AuthError::UserInvalid)?;
    Ok(user)
}

fn groups(claims: &Claims, claim: &str, groups_max: usize) -> Result<Vec<String>, AuthError> {
    let names = match find(claims, claim) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => strings(value).ok_or(AuthError::GroupsClaimInvalid { claim: claim.to_owned() })?,
    };
    let mut groups: Vec<String> = Vec::new();
    for name in &names {
        check_group(name).map_err(AuthError::GroupInvalid)?;
        // Linear, but never beyond `groups_max`.
        if groups.iter().any(|group| group == name) {
            continue;
        }
        if groups.len() == groups_max {
            return Err(AuthError::TooManyGroups { count: names.len(), groups_max });
        }
        groups.push((*name).to_owned());
    }
    Ok(groups)
}

/// The claim called `path`, or the one that its dots lead to. The exact name goes first, because names that
/// are URLs have dots of their own (`https://example.com/user`).
fn find<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    rest.split('.').try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
}

/// One string, or an array of nothing but strings.
fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) => many.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
