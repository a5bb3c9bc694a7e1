//! The claim that says what a client may do: an object with the members of `docs/permissions.md`.
//!
//! A member that is not known is refused, not passed over: a misspelled one that narrows would be no narrowing.

use ringway_session::{Patterns, PermissionsClaim};
use serde_json::{Map, Value};

use crate::AuthError;

/// The members of the claim, for people.
const MEMBERS: &str = "join, send_users, send_groups, send_own_groups, watch, events";

/// Reads the claim; absent and `null` say nothing.
pub(super) fn read(value: Option<&Value>, claim: &str) -> Result<PermissionsClaim, AuthError> {
    let invalid = |problem| AuthError::PermissionsClaimInvalid { claim: claim.to_owned(), problem };
    match value {
        None | Some(Value::Null) => Ok(PermissionsClaim::default()),
        Some(Value::Object(members)) => members_of(members).map_err(invalid),
        Some(_) => Err(invalid(format!("it must be an object with some of {MEMBERS}"))),
    }
}

fn members_of(members: &Map<String, Value>) -> Result<PermissionsClaim, String> {
    let mut read = PermissionsClaim::default();
    for (name, value) in members {
        match name.as_str() {
            "join" => read.join = patterns(name, value)?,
            "send_users" => read.send_users = patterns(name, value)?,
            "send_groups" => read.send_groups = patterns(name, value)?,
            "send_own_groups" => read.send_own_groups = truth(name, value)?,
            "watch" => read.watch = patterns(name, value)?,
            "events" => read.events = patterns(name, value)?,
            _ => return Err(format!("it has a member that is not known; known are {MEMBERS}")),
        }
    }
    Ok(read)
}

fn patterns(name: &str, value: &Value) -> Result<Option<Patterns>, String> {
    let wrong = || format!("`{name}` must be an array of strings");
    let texts = match value {
        Value::Null => return Ok(None),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let patterns = Patterns::new(&texts.ok_or_else(wrong)?);
    patterns.map(Some).map_err(|error| format!("`{name}`: {error}"))
}

fn truth(name: &str, value: &Value) -> Result<Option<bool>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(truth) => Ok(Some(*truth)),
        _ => Err(format!("`{name}` must be true or false")),
    }
}
