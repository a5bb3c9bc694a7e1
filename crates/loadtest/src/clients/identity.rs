//! Who the clients are: users, their groups, and the tokens that say so.

use std::time::{Duration, SystemTime};

use ringway_auth::JwtSigner;
use ringway_auth::jwt::{SignError, TokenRequest};

use super::template::Template;

/// For how long signed tokens are valid: longer than any test.
const VALID_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// How clients are named.
#[derive(Debug)]
pub struct Identities {
    /// The user of a client.
    pub user: Template,
    /// The group of a client.
    pub group: Template,
    /// How many groups there are.
    pub groups: usize,
    /// What signs the tokens; none: the token is the user (mode `plain`), whose group is what stands behind its last hyphen.
    pub signer: Option<JwtSigner>,
}

/// The group that a plain token would name is another one than that to which is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token {user:?} makes its client a member of {named}, and not of {group:?} (--group); in mode plain the group is what \
     stands behind the last hyphen of the token, and for other modes a secret is needed to sign tokens"
)]
pub struct OtherGroup {
    user: String,
    named: String,
    group: String,
}

impl Identities {
    /// The number of a client's group.
    pub(crate) fn group_of(&self, client: usize) -> usize {
        client % self.groups.max(1)
    }

    /// The user of a client.
    pub(crate) fn user(&self, client: usize) -> String {
        self.user.fill(client, self.group_of(client))
    }

    /// The group of this number.
    pub(crate) fn group(&self, number: usize) -> String {
        self.group.fill(number, number)
    }

    /// The token of a client.
    ///
    /// # Errors
    /// When a name is none that a token can bear.
    pub(crate) fn token(&self, client: usize) -> Result<String, SignError> {
        let user = self.user(client);
        let Some(signer) = &self.signer else { return Ok(user) };
        let (groups, now) = (vec![self.group(self.group_of(client))], SystemTime::now());
        let request =
            TokenRequest { user, groups, expires_at: Some(now + VALID_FOR), extra: serde_json::Map::new() };
        Ok(signer.sign(&request, now)?.expose().to_owned())
    }

    /// Whether the clients are members of the groups to which is sent.
    ///
    /// # Errors
    /// When they are not.
    pub(crate) fn check_groups(&self) -> Result<(), OtherGroup> {
        let (user, group) = (self.user(0), self.group(0));
        let named = user.rsplit_once('-').map(|(_, named)| named);
        if self.signer.is_some() || named == Some(group.as_str()) {
            return Ok(());
        }
        let named = named.map_or_else(|| "no group".to_owned(), |named| format!("{named:?}"));
        Err(OtherGroup { user, named, group })
    }
}

#[cfg(test)]
mod tests {
    use ringway_auth::jwt::Secret;

    use super::*;

    fn identities(user: &str, group: &str, signer: Option<JwtSigner>) -> Identities {
        Identities { user: user.parse().unwrap(), group: group.parse().unwrap(), groups: 3, signer }
    }

    #[test]
    fn clients_are_spread_over_the_groups() {
        let identities = identities("u{n}-g{g}", "g{g}", None);
        assert_eq!(
            [0, 1, 2, 3].map(|client| identities.token(client).unwrap()),
            ["u0-g0", "u1-g1", "u2-g2", "u3-g0"]
        );
        assert_eq!(identities.group(2), "g2");
        assert_eq!(identities.check_groups(), Ok(()));
    }

    #[test]
    fn a_plain_token_must_name_the_group() {
        let told = identities("u{n}", "g{g}", None).check_groups().unwrap_err().to_string();
        assert!(told.contains("\"u0\" makes its client a member of no group, and not of \"g0\""), "{told}");
        assert!(identities("u{n}-x", "g{g}", None).check_groups().is_err());
    }

    #[test]
    fn tokens_are_signed() {
        let secret = Secret::new(vec![b'x'; 32]).unwrap();
        let identities = identities("u{n}", "g{g}", Some(JwtSigner::new(&secret)));
        assert_eq!(identities.check_groups(), Ok(()));
        let token = identities.token(1).unwrap();
        assert_eq!(token.split('.').count(), 3, "{token}");
        assert_ne!(token, identities.token(2).unwrap());
    }
}
