//! What is different between two views, in the words of the log.

use crate::member::Member;
use crate::view::View;

/// The ids of members that came, went, started again, or show themselves differently.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Changes<'a> {
    pub(crate) joined: Vec<&'a str>,
    pub(crate) left: Vec<&'a str>,
    pub(crate) restarted: Vec<&'a str>,
    pub(crate) changed: Vec<&'a str>,
}

impl<'a> Changes<'a> {
    /// What happened from one view to the next.
    pub(crate) fn between(older: &'a View, newer: &'a View) -> Self {
        let mut changes = Self::default();
        for member in newer.workers() {
            let id = member.id.as_str();
            match older.member(&member.id) {
                None => changes.joined.push(id),
                Some(before) if before == member => {}
                Some(before) if before.incarnation != member.incarnation => changes.restarted.push(id),
                Some(_) => changes.changed.push(id),
            }
        }
        let gone = |member: &&Member| newer.member(&member.id).is_none();
        changes.left = older.workers().iter().filter(gone).map(|member| member.id.as_str()).collect();
        changes
    }

    /// Whether nothing is different.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
