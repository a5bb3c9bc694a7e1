//! Mode `plain`: the token is the user.
//!
//! Nothing is verified, so whoever can reach the socket can be anybody. For trusted networks, for tests, and
//! for deployments where a proxy in front has already checked who is calling.

use std::time::SystemTime;

use ringway_session::PermissionsClaim;

use crate::{AuthError, Authenticator, Identity, Token, check_group, check_user};

/// Takes the token as the user's name, and its suffix as a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// Whether the text after the LAST `-` names a group: `alice-room7` is the user `alice-room7` in the
    /// group `room7`. Without a `-`, or with nothing after it, there is no group.
    pub group_suffix: bool,
}

impl Default for Plain {
    fn default() -> Self {
        Self { group_suffix: true }
    }
}

impl Authenticator for Plain {
    fn authenticate(&self, token: &Token, _now: SystemTime) -> Result<Identity, AuthError> {
        let user = token.expose();
        check_user(user).map_err(AuthError::UserInvalid)?;
        let group = if self.group_suffix { group_of(user) } else { None };
        if let Some(group) = group {
            check_group(group).map_err(AuthError::GroupInvalid)?;
        }
        Ok(Identity {
            user: user.to_owned(),
            groups: group.map(str::to_owned).into_iter().collect(),
            permissions: PermissionsClaim::default(),
            claims: None,
            expires_at: None,
        })
    }

    fn mode(&self) -> &'static str {
        "plain"
    }
}

fn group_of(user: &str) -> Option<&str> {
    let (_, suffix) = user.rsplit_once('-')?;
    (!suffix.trim().is_empty()).then_some(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(group_suffix: bool, token: &str, expected: Result<Option<&str>, &str>) {
        let outcome = Plain { group_suffix }.authenticate(&Token::new(token), SystemTime::UNIX_EPOCH);
        match (outcome, expected) {
            (Ok(identity), Ok(group)) => {
                assert_eq!(identity.user, token, "the whole token is the user");
                assert_eq!(identity.groups, group.into_iter().collect::<Vec<_>>(), "{token:?}");
                assert_eq!((identity.claims, identity.expires_at), (None, None));
            }
            (Err(error), Err(reason)) => assert_eq!(error.reason(), reason, "{token:?}"),
            (outcome, expected) => panic!("{token:?}: {outcome:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn the_token_is_the_user_and_its_suffix_a_group() {
        check(true, "alice-room7", Ok(Some("room7")));
        check(true, "alice-smith-room7", Ok(Some("room7")));
        check(true, "-room7", Ok(Some("room7")));
        check(true, "alice", Ok(None));
        check(true, "alice-", Ok(None));
        check(true, "alice- ", Ok(None));
        check(true, "-", Ok(None));
        check(false, "alice-room7", Ok(None));
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        check(true, "", Err("user_invalid"));
        check(true, "  ", Err("user_invalid"));
        check(true, "a\0b", Err("user_invalid"));
        check(true, "ringway:dashboard", Err("user_invalid"));
        check(true, "alice-ringway:dashboards", Err("group_invalid"));
        check(true, &"a".repeat(256), Err("user_invalid"));
    }
}
