//! The rules for requests about presence.

use std::collections::BTreeSet;

use ringway_proto::Refusal;
use ringway_session::UserId;

use super::{RequestRules, invalid, user};

/// Of how many users presence is asked at once, at the most.
pub const PRESENCE_USERS_MAX: usize = 10_000;
/// How many users are watched over one stream, at the most.
pub const WATCHED_USERS_MAX: usize = 100_000;

impl RequestRules {
    /// Checks the users whose presence is asked for: each comes out once, by name.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn presence_users(&self, names: &[String]) -> Result<BTreeSet<UserId>, Refusal> {
        presence_users(names)
    }

    /// Checks users to watch.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn watched_users(&self, names: &[String]) -> Result<Vec<UserId>, Refusal> {
        watched_users(names)
    }
}

pub(crate) fn presence_users(names: &[String]) -> Result<BTreeSet<UserId>, Refusal> {
    if names.is_empty() || names.len() > PRESENCE_USERS_MAX {
        let users = names.len();
        return Err(invalid(format!(
            "the request names {users} users; it must be 1 to {PRESENCE_USERS_MAX}"
        )));
    }
    names.iter().map(|name| user(name)).collect()
}

pub(crate) fn watched_users(names: &[String]) -> Result<Vec<UserId>, Refusal> {
    names.iter().map(|name| user(name)).collect()
}

/// Refuses what would watch too many users.
pub(crate) fn check_watched(users: usize) -> Result<(), Refusal> {
    if users > WATCHED_USERS_MAX {
        let message =
            format!("the stream would watch {users} users; at most {WATCHED_USERS_MAX} are allowed");
        return Err(invalid(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_bounded_and_come_out_once() {
        let names = |count: usize| (0..count).map(|number| format!("user{number}")).collect::<Vec<_>>();
        let cases = [
            (0, None),
            (1, Some(1)),
            (PRESENCE_USERS_MAX, Some(PRESENCE_USERS_MAX)),
            (PRESENCE_USERS_MAX + 1, None),
        ];
        for (count, expected) in cases {
            assert_eq!(presence_users(&names(count)).ok().map(|users| users.len()), expected, "{count}");
        }
        let twice = ["bob", "alice", "bob"].map(str::to_owned);
        let users: Vec<_> = presence_users(&twice).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(users, ["alice", "bob"]);
        assert!(presence_users(&[String::new()]).is_err());
        assert!(check_watched(WATCHED_USERS_MAX).is_ok() && check_watched(WATCHED_USERS_MAX + 1).is_err());
    }
}
