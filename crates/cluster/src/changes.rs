//! What is different between two views, in the words of the log.

use crate::member::Member;
use crate::view::View;

/// The ids of members that came, went, started again, or show themselves differently.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Changes<'a> {
    /// Those that were not there before.
    pub joined: Vec<&'a str>,
    /// Those that are there no more.
    pub left: Vec<&'a str>,
    /// Those that are another start of their process.
    pub restarted: Vec<&'a str>,
    /// Those that show themselves differently.
    pub changed: Vec<&'a str>,
}

impl<'a> Changes<'a> {
    /// What happened from one view to the next.
    pub fn between(older: &'a View, newer: &'a View) -> Self {
        let mut changes = Self::default();
        for member in newer.workers() {
            let id = member.id.as_str();
            match older.member(&member.id) {
                None => changes.joined.push(id),
                Some(before) if before == member => {}
                Some(before) if restarted(before, member) => changes.restarted.push(id),
                Some(_) => changes.changed.push(id),
            }
        }
        let gone = |member: &&Member| newer.member(&member.id).is_none();
        changes.left = older.workers().iter().filter(gone).map(|member| member.id.as_str()).collect();
        changes
    }

    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether both incarnations are known, and are not the same.
fn restarted(before: &Member, after: &Member) -> bool {
    before.incarnation != 0 && after.incarnation != 0 && before.incarnation != after.incarnation
}

#[cfg(test)]
mod tests {
    use ringway_ring::Strategy;

    use super::*;

    fn member(id: &str, incarnation: u64, zone: Option<&str>) -> Member {
        let url = "http://127.0.0.1:7071".parse().expect("a good url");
        let member = Member::new(id.parse().expect("a good id"), url);
        Member { incarnation, zone: zone.map(ToOwned::to_owned), ..member }
    }

    #[test]
    fn every_change_is_told_under_its_name() {
        let view = |members: Vec<Member>| View::build(Strategy::Slots, members).expect("a good list");
        let same = || member("same", 1, None);
        let before = vec![
            same(),
            member("gone", 1, None),
            member("back", 1, None),
            member("moved", 1, None),
            member("known", 0, None),
        ];
        let after = vec![
            same(),
            member("new", 1, None),
            member("back", 2, None),
            member("moved", 1, Some("b")),
            member("known", 7, None),
        ];
        let (before, after) = (view(before), view(after));
        let changes = Changes::between(&before, &after);
        let expected = Changes {
            joined: vec!["new"],
            left: vec!["gone"],
            restarted: vec!["back"],
            changed: vec!["known", "moved"],
        };
        assert_eq!(changes, expected);
        assert!(Changes::between(&after, &after).is_empty());
    }
}
