//! Showing sessions.

use super::{Key, SessionTable};
use crate::name::{GroupId, UserId};
use crate::session::SessionView;

/// Which sessions to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All.
    All,
    /// Those of a user.
    User(UserId),
    /// The members of a group.
    Group(GroupId),
}

impl SessionTable {
    /// The first `limit` sessions by user and id, and how many there are in all.
    pub fn list(&self, filter: &Filter, limit: usize) -> (Vec<SessionView>, usize) {
        let mut keys = self.keys_matching(filter);
        let total = keys.len();
        keys.sort_unstable_by_key(|&key| {
            let session = &self.sessions[key];
            (&session.user, session.id)
        });
        (keys.into_iter().take(limit).map(|key| self.sessions[key].view()).collect(), total)
    }

    /// All groups that have members here.
    pub fn group_names(&self) -> impl Iterator<Item = &GroupId> {
        self.by_group.keys()
    }

    fn keys_matching(&self, filter: &Filter) -> Vec<Key> {
        match filter {
            Filter::All => self.sessions.iter().map(|(key, _)| key).collect(),
            Filter::User(user) => self.by_user.get(user).cloned().unwrap_or_default(),
            Filter::Group(group) => self.by_group.get(group).into_iter().flatten().copied().collect(),
        }
    }
}
