//! Members' names as keys of etcd.
//!
//! A name may hold any character, a `/` too. In a key, everything but letters, digits, `-`, `.`, `_` and `~` is
//! percent-encoded (RFC 3986 section 2.3), so that a key is one word under the prefix and reads well in etcdctl.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use ringway_ring::MemberId;

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The keys under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    members: String,
}

impl Keys {
    /// The keys that begin so. Slashes at the prefix's end do not count.
    pub(crate) fn new(prefix: &str) -> Self {
        Self { members: format!("{}/members/", prefix.trim_end_matches('/')) }
    }

    /// Where a member is.
    pub(crate) fn member(&self, id: &MemberId) -> Vec<u8> {
        format!("{}{}", self.members, utf8_percent_encode(id.as_str(), ESCAPED)).into_bytes()
    }

    /// Whose key it is, if it is a member's.
    pub(crate) fn id(&self, key: &[u8]) -> Option<MemberId> {
        let name = percent_decode(key.strip_prefix(self.members.as_bytes())?).decode_utf8().ok()?;
        let id: MemberId = name.parse().ok()?;
        // Only one spelling of a name is its key.
        (self.member(&id) == key).then_some(id)
    }

    /// All members' keys: the first possible one, and the first one beyond.
    pub(crate) fn range(&self) -> (Vec<u8>, Vec<u8>) {
        let first = self.members.clone().into_bytes();
        let mut beyond = first.clone();
        if let Some(last) = beyond.last_mut() {
            *last += 1;
        }
        (first, beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys_and_back() {
        let keys = Keys::new("/a/b/");
        for (name, expected) in [
            ("w1", "/a/b/members/w1"),
            ("rack-1_a.b~c", "/a/b/members/rack-1_a.b~c"),
            ("a/b c%", "/a/b/members/a%2Fb%20c%25"),
            ("ü", "/a/b/members/%C3%BC"),
        ] {
            let id: MemberId = name.parse().expect(name);
            assert_eq!(keys.member(&id), expected.as_bytes(), "{name}");
            assert_eq!(keys.id(expected.as_bytes()), Some(id), "{name}");
        }
    }

    #[test]
    fn other_keys_are_nobodys() {
        let keys = Keys::new("/a");
        for key in [
            "/a/members/",
            "/a/other/w1",
            "/b/members/w1",
            "/a/members/w%31",
            "/a/members/a/b",
            "/a/members/%FF",
        ] {
            assert_eq!(keys.id(key.as_bytes()), None, "{key}");
        }
    }

    #[test]
    fn the_range_is_all_keys_under_the_prefix() {
        let expected = (b"/a/members/".to_vec(), b"/a/members0".to_vec());
        assert_eq!(Keys::new("/a").range(), expected);
    }
}
