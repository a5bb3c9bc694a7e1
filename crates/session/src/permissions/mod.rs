//! What a client may do beside receiving. Everything is refused unless a pattern allows it (`docs/permissions.md`).
//!
//! The cluster's configuration says what every client may do; a token may say something else for its bearer, member by
//! member. What comes of it travels with the session.

mod pattern;

pub use pattern::{PATTERNS_MAX, Pattern, PatternError, Patterns};

use std::sync::Arc;

use crate::name::{GroupId, UserId};

/// How the names of the cluster's own users and groups begin. No token names them but the cluster's own, and no client may join
/// them, send to them or watch them, whatever it is permitted.
pub const RESERVED_PREFIX: &str = "ringway:";

/// What one client may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// The groups that it may join and leave.
    pub join: Patterns,
    /// The users to whom it may send.
    pub send_users: Patterns,
    /// The groups to which it may send.
    pub send_groups: Patterns,
    /// Whether it may send to every group of which it is a member.
    pub send_own_groups: bool,
    /// The users whose presence it may watch.
    pub watch: Patterns,
    /// The topics of the events that it may send to the back end.
    pub events: Patterns,
}

impl Permissions {
    /// Whether it may join and leave a group.
    pub fn may_join(&self, group: &GroupId) -> bool {
        allows(&self.join, group.as_str())
    }

    /// Whether it may send to a user.
    pub fn may_send_to_user(&self, user: &UserId) -> bool {
        allows(&self.send_users, user.as_str())
    }

    /// Whether it may send to a group, of which it is a member or not.
    pub fn may_send_to_group(&self, group: &GroupId, is_member: bool) -> bool {
        let name = group.as_str();
        !name.starts_with(RESERVED_PREFIX)
            && ((self.send_own_groups && is_member) || self.send_groups.allows(name))
    }

    /// Whether it may watch a user's presence.
    pub fn may_watch(&self, user: &UserId) -> bool {
        allows(&self.watch, user.as_str())
    }

    /// Whether it may send events of a topic.
    pub fn may_emit(&self, topic: &str) -> bool {
        self.events.allows(topic)
    }
}

/// Whether a name is permitted, and is nobody's but the cluster's.
fn allows(patterns: &Patterns, name: &str) -> bool {
    !name.starts_with(RESERVED_PREFIX) && patterns.allows(name)
}

/// What a token says of its bearer's permissions. What it does not mention stays as it is for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionsClaim {
    /// In place of [`Permissions::join`].
    pub join: Option<Patterns>,
    /// In place of [`Permissions::send_users`].
    pub send_users: Option<Patterns>,
    /// In place of [`Permissions::send_groups`].
    pub send_groups: Option<Patterns>,
    /// In place of [`Permissions::send_own_groups`].
    pub send_own_groups: Option<bool>,
    /// In place of [`Permissions::watch`].
    pub watch: Option<Patterns>,
    /// In place of [`Permissions::events`].
    pub events: Option<Patterns>,
}

impl PermissionsClaim {
    /// What its bearer may do where everybody may do `all`.
    pub fn over(&self, all: &Permissions) -> Permissions {
        let or = |own: &Option<Patterns>, all: &Patterns| own.as_ref().unwrap_or(all).clone();
        Permissions {
            join: or(&self.join, &all.join),
            send_users: or(&self.send_users, &all.send_users),
            send_groups: or(&self.send_groups, &all.send_groups),
            send_own_groups: self.send_own_groups.unwrap_or(all.send_own_groups),
            watch: or(&self.watch, &all.watch),
            events: or(&self.events, &all.events),
        }
    }
}

/// The permissions that a session was given last: most sessions have the same, and keep them once.
#[derive(Debug, Default)]
pub(crate) struct LastGiven(Arc<Permissions>);

impl LastGiven {
    /// The same permissions, kept once if they are the last ones.
    pub(crate) fn share(&mut self, permissions: Arc<Permissions>) -> Arc<Permissions> {
        if *self.0 != *permissions {
            self.0 = permissions;
        }
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Patterns {
        Patterns::new(texts).unwrap()
    }

    /// Each permission alone, and what it allows of all that there is to be allowed.
    #[test]
    fn each_permission_allows_its_own_and_nothing_else() {
        let allowed = |permissions: &Permissions| {
            let (user, group) = (UserId::new("x").unwrap(), GroupId::new("x").unwrap());
            [
                permissions.may_join(&group),
                permissions.may_send_to_user(&user),
                permissions.may_send_to_group(&group, false),
                permissions.may_send_to_group(&group, true),
                permissions.may_watch(&user),
                permissions.may_emit("x"),
            ]
            .map(u8::from)
        };
        let check = |permissions: Permissions, expected: [u8; 6]| {
            assert_eq!(allowed(&permissions), expected, "{permissions:?}");
        };
        let none = Permissions::default;
        check(none(), [0, 0, 0, 0, 0, 0]);
        check(Permissions { join: list(&["x"]), ..none() }, [1, 0, 0, 0, 0, 0]);
        check(Permissions { send_users: list(&["*"]), ..none() }, [0, 1, 0, 0, 0, 0]);
        check(Permissions { send_groups: list(&["*"]), ..none() }, [0, 0, 1, 1, 0, 0]);
        check(Permissions { send_own_groups: true, ..none() }, [0, 0, 0, 1, 0, 0]);
        check(Permissions { watch: list(&["y", "x"]), ..none() }, [0, 0, 0, 0, 1, 0]);
        check(Permissions { events: list(&["x*"]), ..none() }, [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn what_is_the_clusters_own_is_permitted_to_nobody() {
        let (user, group) = (UserId::new("ringway:x").unwrap(), GroupId::new("ringway:x").unwrap());
        let everything = Permissions {
            join: list(&["*", "ringway:x"]),
            send_users: list(&["*"]),
            send_groups: list(&["*"]),
            send_own_groups: true,
            watch: list(&["*"]),
            events: list(&["*"]),
        };
        assert!(!everything.may_join(&group));
        assert!(!everything.may_send_to_user(&user));
        assert!(!everything.may_send_to_group(&group, true));
        assert!(!everything.may_watch(&user));
        assert!(everything.may_emit("ringway:x"));
    }

    #[test]
    fn permissions_that_many_have_are_kept_once() {
        let mut last = LastGiven::default();
        let own = || Arc::new(Permissions { send_own_groups: true, ..Permissions::default() });
        let (first, second) = (last.share(own()), last.share(own()));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(*last.share(Arc::default()), Permissions::default());
        assert_eq!(*last.share(own()), *first);
    }

    #[test]
    fn a_token_decides_what_it_mentions_and_nothing_else() {
        let all = Permissions {
            join: list(&["room-*"]),
            send_own_groups: true,
            watch: list(&["*"]),
            ..Permissions::default()
        };
        assert_eq!(PermissionsClaim::default().over(&all), all);
        let claim = PermissionsClaim {
            join: Some(list(&[])),
            send_users: Some(list(&["bob"])),
            send_own_groups: Some(false),
            ..PermissionsClaim::default()
        };
        let expected =
            Permissions { send_users: list(&["bob"]), watch: list(&["*"]), ..Permissions::default() };
        assert_eq!(claim.over(&all), expected);
    }
}
