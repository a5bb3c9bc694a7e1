//! Passes: tokens of the pages' own, with which they open sockets.
//!
//! A pass is `ringway:pass.` and a JSON object and its signature, both in base64url. The key follows from the cluster secret, so
//! every gateway of the cluster accepts it and nobody else can make one. It names what it is for and not what that permits: that
//! stands here.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ringway_auth::{AuthError, Authenticator, Identity, Token};
use ringway_rpc::ClusterSecret;
use ringway_session::{Patterns, PermissionsClaim};
use serde::{Deserialize, Serialize};

use crate::demo;

/// How passes begin: like no name of a user, so that in mode `plain` none is taken for one.
const PREFIX: &str = "ringway:pass.";
/// How the names of the users begin whom dashboards are: each is one of its own, so that no limit for one user's sessions sets them
/// against each other.
const DASHBOARD_USERS: &str = "ringway:dashboard:";
/// How long the name of a viewer is: so that no two make up the same.
const VIEWER_DIGITS: usize = 32;
/// The group of all dashboards. No token but a pass leads there, and no client can join it or send to it.
pub(crate) const DASHBOARDS: &str = "ringway:dashboards";

/// Signs passes, and knows them again.
#[derive(Clone)]
pub struct PassKey(Arc<hmac::Key>);

/// What a pass says.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    #[serde(rename = "for")]
    purpose: Purpose,
    /// Seconds since the Unix epoch.
    exp: u64,
}

/// What a pass is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// To see the cluster's numbers, and nothing else.
    Dashboard(Viewer),
    /// To be one of the people of the demonstration.
    Demo(String),
}

/// One dashboard that somebody looks at: a name that its page makes up, and keeps for as long as it is open, whichever passes it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Viewer(String);

/// Why a text cannot be a viewer.
#[derive(Debug, thiserror::Error)]
#[error("`viewer` must have {VIEWER_DIGITS} hexadecimal digits in lower case")]
pub(crate) struct ViewerError;

/// An authenticator that accepts passes, and asks another one about all other tokens.
pub struct Passes {
    key: PassKey,
    others: Arc<dyn Authenticator>,
}

impl TryFrom<String> for Viewer {
    type Error = ViewerError;

    fn try_from(text: String) -> Result<Self, ViewerError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_right = text.len() == VIEWER_DIGITS && text.bytes().all(is_digit);
        if is_right { Ok(Self(text)) } else { Err(ViewerError) }
    }
}

impl From<Viewer> for String {
    fn from(viewer: Viewer) -> Self {
        viewer.0
    }
}

impl PassKey {
    /// The key of a cluster.
    pub fn new(secret: &ClusterSecret) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        let derived = hmac::sign(&root, b"ringway page pass 1");
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())))
    }

    /// A pass for this purpose, until `lifetime` is over.
    pub(crate) fn sign(&self, purpose: Purpose, now: SystemTime, lifetime: Duration) -> String {
        let said = Said { purpose, exp: seconds(now + lifetime) };
        // Plain data: there is nothing in it that JSON could not say.
        let said = BASE64.encode(serde_json::to_vec(&said).unwrap_or_default());
        let tag = hmac::sign(&self.0, said.as_bytes());
        format!("{PREFIX}{said}.{}", BASE64.encode(tag))
    }

    /// Who the bearer of a pass is.
    fn read(&self, pass: &str, now: SystemTime) -> Result<Identity, AuthError> {
        let (said, tag) = pass.split_once('.').ok_or(AuthError::SignatureInvalid)?;
        let tag = BASE64.decode(tag).map_err(|_| AuthError::SignatureInvalid)?;
        hmac::verify(&self.0, said.as_bytes(), &tag).map_err(|_| AuthError::SignatureInvalid)?;
        let said = BASE64.decode(said).ok().and_then(|json| serde_json::from_slice::<Said>(&json).ok());
        let Said { purpose, exp } = said.ok_or(AuthError::SignatureInvalid)?;
        let expires_at = SystemTime::UNIX_EPOCH + Duration::from_secs(exp);
        match now.duration_since(expires_at) {
            Ok(ago) => Err(AuthError::Expired { ago }),
            Err(_) => Ok(Identity { expires_at: Some(expires_at), ..identity(&purpose) }),
        }
    }
}

impl Passes {
    /// Accepts the passes of this key, and whom `others` accepts.
    pub fn new(key: PassKey, others: Arc<dyn Authenticator>) -> Self {
        Self { key, others }
    }
}

impl Authenticator for Passes {
    fn authenticate(&self, token: &Token, now: SystemTime) -> Result<Identity, AuthError> {
        match token.expose().strip_prefix(PREFIX) {
            Some(pass) => self.key.read(pass, now),
            None => self.others.authenticate(token, now),
        }
    }

    fn mode(&self) -> &'static str {
        self.others.mode()
    }
}

/// Who that is, and what it may do.
fn identity(purpose: &Purpose) -> Identity {
    let (user, groups, permitted) = match purpose {
        Purpose::Dashboard(Viewer(name)) => {
            (format!("{DASHBOARD_USERS}{name}"), vec![DASHBOARDS.to_owned()], "")
        }
        Purpose::Demo(person) => (demo::user(person), Vec::new(), demo::EVERYTHING),
    };
    let patterns =
        || Patterns::new(if permitted.is_empty() { &[][..] } else { std::slice::from_ref(&permitted) });
    // The pattern is one of ours, and right.
    let patterns = || Some(patterns().unwrap_or_default());
    let nothing = Some(Patterns::default());
    let permissions = PermissionsClaim {
        join: patterns(),
        send_users: patterns(),
        send_groups: patterns(),
        send_own_groups: Some(false),
        watch: patterns(),
        events: nothing,
    };
    Identity { user, groups, permissions, claims: None, expires_at: None }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use ringway_auth::Plain;
    use ringway_session::{GroupId, Permissions};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn passes(secret: &str) -> Passes {
        let key = PassKey::new(&ClusterSecret::new(secret).expect("a secret"));
        Passes::new(key, Arc::new(Plain::default()))
    }

    fn dashboard(digit: &str) -> Purpose {
        Purpose::Dashboard(digit.repeat(VIEWER_DIGITS).try_into().expect("a viewer"))
    }

    fn read(passes: &Passes, text: &str, now: SystemTime) -> Result<Identity, &'static str> {
        passes.authenticate(&Token::new(text), now).map_err(|error| error.reason())
    }

    #[test]
    fn a_pass_is_good_for_its_time_and_for_its_cluster() {
        let (ours, theirs) = (passes("0123456789abcdef"), passes("0123456789abcdeg"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let pass = ours.key.sign(dashboard("a"), now, MINUTE);
        let identity = read(&ours, &pass, now).expect("it is good");
        assert_eq!(
            (identity.user.as_str(), identity.groups.as_slice()),
            ("ringway:dashboard:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &[DASHBOARDS.to_owned()][..])
        );
        assert_eq!(identity.expires_at, Some(now + MINUTE));
        assert_eq!(read(&ours, &pass, now + MINUTE).unwrap_err(), "token_expired");
        assert_eq!(read(&theirs, &pass, now).unwrap_err(), "signature_invalid");
        for end in PREFIX.len()..pass.len() {
            assert!(read(&ours, &pass[..end], now).is_err(), "{end} bytes of it");
        }
    }

    #[test]
    fn a_dashboard_may_do_nothing_and_people_only_what_belongs_to_the_demonstration() {
        let everything =
            Permissions { join: Patterns::new(&["*"]).expect("a star"), ..Permissions::default() };
        let may_join = |purpose: Purpose, group: &str| {
            let group = GroupId::new(group).expect("a name");
            identity(&purpose).permissions.over(&everything).may_join(&group)
        };
        let alice = || Purpose::Demo("alice".to_owned());
        assert!(may_join(alice(), "demo:tea"));
        assert!(!may_join(alice(), "tea"));
        assert!(!may_join(alice(), DASHBOARDS));
        assert!(!may_join(dashboard("a"), "demo:tea"));
    }

    #[test]
    fn each_dashboard_is_a_user_of_its_own_whichever_pass_it_has() {
        let passes = passes("0123456789abcdef");
        let now = SystemTime::now();
        let user = |purpose: Purpose, from: SystemTime| {
            read(&passes, &passes.key.sign(purpose, from, MINUTE), now).map(|identity| identity.user)
        };
        let first = user(dashboard("a"), now);
        assert!(first.as_ref().is_ok_and(|name| ringway_session::UserId::new(name).is_ok()), "{first:?}");
        assert_eq!(first, user(dashboard("a"), now - MINUTE / 2));
        assert_ne!(first, user(dashboard("b"), now));
        for wrong in ["", "a", &"a".repeat(33), &"A".repeat(32), &"g".repeat(32), &":".repeat(32)] {
            assert!(Viewer::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_other_tokens_are_for_others_to_judge() {
        let passes = passes("0123456789abcdef");
        let now = SystemTime::now();
        assert_eq!(read(&passes, "alice-tea", now).map(|identity| identity.user), Ok("alice-tea".to_owned()));
        for forged in [
            "ringway:dashboard",
            "ringway:dashboard:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "ringway:pass",
            "alice-ringway:dashboards",
            "ringway:pass.",
            "ringway:pass.a.b",
        ] {
            assert!(read(&passes, forged, now).is_err(), "{forged}");
        }
    }
}
