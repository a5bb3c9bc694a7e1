//! Watching users: what a client asks for, and what it is told.

use serde::Serialize;
use serde_json::value::RawValue;

use super::client::{required, unreadable};
use super::error::FrameError;
use super::server::text;
use crate::name::UserId;
use crate::payload::Payload;

/// How many users a `presence` frame names at the most.
pub const PRESENCE_USERS_MAX: usize = 500;
/// How many users a `watch` or `unwatch` frame names at the most.
pub const WATCH_USERS_MAX: usize = 1_000;

/// Reads the users of a `watch` or `unwatch`.
pub(super) fn users(raw: Option<&RawValue>) -> Result<Vec<UserId>, FrameError> {
    let names: Vec<String> = required("users", raw)?;
    if names.is_empty() || names.len() > WATCH_USERS_MAX {
        let found = names.len();
        return Err(unreadable(format!("its users are {found}; expected 1 to {WATCH_USERS_MAX}")));
    }
    let users = names.iter().map(|name| UserId::new(name)).collect::<Result<_, _>>();
    users.map_err(|error| unreadable(format!("its users are wrong: {error}")))
}

/// Whether users are online, as a frame.
pub fn presence(users: &[(UserId, bool)]) -> Payload {
    #[derive(Serialize)]
    struct User<'a> {
        user: &'a str,
        online: bool,
    }
    #[derive(Serialize)]
    struct Typed<'a> {
        r#type: &'static str,
        users: Vec<User<'a>>,
    }
    let users = users.iter().map(|(user, online)| User { user: user.as_str(), online: *online });
    text(&Typed { r#type: "presence", users: users.collect() })
}
