//! Showing sessions.

use super::{Key, SessionTable};
use crate::directive::LinkId;
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
        let order = |key: &Key| (&self.sessions[*key].user, self.sessions[*key].id);
        if limit < total {
            // Only the first `limit` need to be in order: others wait for the table meanwhile.
            keys.select_nth_unstable_by(limit, |a, b| order(a).cmp(&order(b)));
            keys.truncate(limit);
        }
        keys.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        (keys.into_iter().map(|key| self.sessions[key].view()).collect(), total)
    }

    /// The sessions for which most bytes wait, the worst first, at most so many. None for which nothing waits.
    pub fn slowest(&self, limit: usize) -> Vec<SessionView> {
        let waiting = self.sessions.iter().map(|(key, session)| (session.queue.bytes(), key));
        let mut waiting: Vec<_> = waiting.filter(|(bytes, _)| *bytes > 0).collect();
        let order = |(bytes, key): &(u64, Key)| (std::cmp::Reverse(*bytes), *key);
        if limit < waiting.len() {
            waiting.select_nth_unstable_by_key(limit, order);
            waiting.truncate(limit);
        }
        waiting.sort_unstable_by_key(order);
        waiting.into_iter().map(|(_, key)| self.sessions[key].view()).collect()
    }

    /// How many sessions hang on a link.
    pub fn sessions_on(&self, link: LinkId) -> usize {
        self.by_link.get(&link).map_or(0, |link| link.channels.len())
    }

    /// How many sessions a user has, and when the oldest was opened.
    pub(crate) fn presence_of(&self, user: &UserId) -> (u32, u64) {
        let keys = self.by_user.get(user).map_or(&[][..], Vec::as_slice);
        let oldest = keys.iter().map(|key| self.sessions[*key].opened_at_ms()).min();
        (u32::try_from(keys.len()).unwrap_or(u32::MAX), oldest.unwrap_or_default())
    }

    /// How many sessions a user has here.
    pub fn sessions_of(&self, user: &UserId) -> u32 {
        self.presence_of(user).0
    }

    /// The users of sessions, a page of them from a position on, and where the next page begins. A user with several sessions may
    /// be named again. Sessions that come meanwhile may be missing.
    pub fn page_of_users(&self, from: usize, sessions_max: usize) -> (Vec<UserId>, Option<usize>) {
        let end = from.saturating_add(sessions_max).min(self.sessions.capacity());
        let users = (from..end).filter_map(|key| Some(self.sessions.get(key)?.user.clone())).collect();
        (users, (end < self.sessions.capacity()).then_some(end))
    }

    fn keys_matching(&self, filter: &Filter) -> Vec<Key> {
        match filter {
            Filter::All => self.sessions.iter().map(|(key, _)| key).collect(),
            Filter::User(user) => self.by_user.get(user).cloned().unwrap_or_default(),
            Filter::Group(group) => self.by_group.get(group).into_iter().flatten().copied().collect(),
        }
    }
}
