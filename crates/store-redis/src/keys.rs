//! The names of keys.
//!
//! Everything of one user has the user's name as its hash tag, so that Redis Cluster keeps it in one place. A name may hold any
//! character, braces too: in a key, everything but letters, digits, `-`, `.`, `_`, `~` and `@` is percent-encoded (RFC 3986
//! section 2.1).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ringway_session::UserId;
use ringway_store::{Epoch, WorkerLife};

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The keys under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys(String);

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self(prefix.to_owned())
    }

    /// The hash of a user's mailbox.
    pub(crate) fn head(&self, user: &UserId) -> String {
        format!("{}:mailbox:{}", self.0, tag(user))
    }

    /// The stream of a user's mailbox in an epoch, by the name that it has in a tenure.
    pub(crate) fn log(&self, user: &UserId, epoch: Epoch, tenure: u64) -> String {
        format!("{}:mailbox:{}:{epoch}:{tenure}", self.0, tag(user))
    }

    /// Whether a user is online.
    pub(crate) fn online(&self, user: &UserId) -> String {
        format!("{}:online:{}", self.0, tag(user))
    }

    /// Who is online at a worker.
    pub(crate) fn online_at(&self, life: &WorkerLife) -> String {
        let worker = utf8_percent_encode(life.worker.as_str(), ESCAPED);
        format!("{}:online-at:{worker}:{:016x}", self.0, life.incarnation)
    }
}

fn tag(user: &UserId) -> String {
    format!("{{{}}}", utf8_percent_encode(user.as_str(), ESCAPED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_documented() {
        let keys = Keys::new("r");
        for (user, expected) in [
            ("alice", "r:mailbox:{alice}"),
            ("a@b.org", "r:mailbox:{a@b.org}"),
            ("}{ü:*", "r:mailbox:{%7D%7B%C3%BC%3A%2A}"),
        ] {
            assert_eq!(keys.head(&UserId::new(user).expect("a name")), expected);
        }
        let epoch = Epoch::from_number(10).expect("an epoch");
        let user = UserId::new("a").expect("a name");
        assert_eq!(keys.log(&user, epoch, 3), "r:mailbox:{a}:000000000000000a:3");
        assert_eq!(keys.online(&user), "r:online:{a}");
        let life = WorkerLife { worker: "w 1".parse().expect("an id"), incarnation: 255 };
        assert_eq!(keys.online_at(&life), "r:online-at:w%201:00000000000000ff");
    }
}
