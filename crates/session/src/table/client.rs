//! What a session's client does, and who it is when it does it.

use std::sync::Arc;

use super::{Key, SessionTable};
use crate::conduct::{Conduct, ConductPolicy, Verdict};
use crate::directive::Address;
use crate::id::SessionId;
use crate::moment::Moment;
use crate::name::{GroupId, UserId};
use crate::permissions::Permissions;
use crate::session::{Place, Session};

/// A client as one of its frames finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The session.
    pub session: SessionId,
    /// The user.
    pub user: UserId,
    /// What the client may do.
    pub permissions: Arc<Permissions>,
    /// Whether it may still speak.
    pub verdict: Verdict,
}

impl SessionTable {
    /// A client has sent a frame that counts.
    pub(crate) fn client_spoke(&mut self, address: Address, now: Moment) -> Option<Speaker> {
        let key = self.at(address)?;
        let verdict = self.judge(key, now, |conduct, policy| conduct.frame(policy, now));
        let Session { id, user, permissions, .. } = &self.sessions[key];
        Some(Speaker { session: *id, user: user.clone(), permissions: Arc::clone(permissions), verdict })
    }

    /// A client has done what it must not.
    pub(crate) fn offence(&mut self, address: Address, now: Moment) -> Option<Verdict> {
        let key = self.at(address)?;
        Some(self.judge(key, now, |conduct, policy| conduct.offence(policy, now)))
    }

    /// Whether a session that is here is a member of a group.
    pub fn is_member(&self, id: SessionId, group: &GroupId) -> bool {
        self.by_id.get(&id).is_some_and(|&key| self.sessions[key].groups.binary_search(group).is_ok())
    }

    /// Where a session's client is, if the session is here and has one.
    pub fn address_of(&self, id: SessionId) -> Option<Address> {
        self.place(id).and_then(Place::address)
    }

    /// A client has a new token, which says what it may do.
    pub(crate) fn renew_permissions(&mut self, id: SessionId, permissions: Arc<Permissions>) {
        if let Some(&key) = self.by_id.get(&id) {
            self.sessions[key].permissions = self.permissions.share(permissions);
        }
    }

    fn judge(
        &mut self,
        key: Key,
        now: Moment,
        judge: impl FnOnce(&mut Conduct, &ConductPolicy) -> Verdict,
    ) -> Verdict {
        let policy = &self.policy.conduct;
        let conduct = &mut self.sessions[key].conduct;
        judge(conduct.get_or_insert_with(|| Box::new(Conduct::new(policy, now))), policy)
    }
}
