//! Who is a member of what.

use super::{Key, OpenError, ResumeError, SessionTable, Target};
use crate::directive::Directive;
use crate::id::SessionId;
use crate::name::GroupId;
use crate::session::{Place, Session, sorted};

impl SessionTable {
    /// Makes sessions members of a group. Gives back how many of those named are members now.
    ///
    /// # Errors
    /// [`OpenError::TooManyGroups`] if one of them is in as many groups as it may be; then nothing has changed.
    pub fn join(
        &mut self,
        target: &Target,
        group: &GroupId,
        out: &mut Vec<Directive>,
    ) -> Result<usize, OpenError> {
        let keys = self.keys_of(target);
        let max = self.policy.groups_per_session_max;
        let full = |key: &Key| {
            let groups = &self.sessions[*key].groups;
            groups.len() >= max && groups.binary_search(group).is_err()
        };
        if keys.iter().any(full) {
            return Err(OpenError::TooManyGroups { groups: max + 1, max });
        }
        for &key in &keys {
            self.add_member(key, group, out);
            // It stays, whatever a later token names.
            self.sessions[key].token_groups.retain(|named| named != group);
            self.tell_checkpoint(key, out);
        }
        Ok(keys.len())
    }

    /// Ends memberships. Gives back how many of the sessions named were members.
    pub fn leave(&mut self, target: &Target, group: &GroupId, out: &mut Vec<Directive>) -> usize {
        let mut left = 0;
        for key in self.keys_of(target) {
            if self.end_membership(key, group, out) {
                self.tell_checkpoint(key, out);
                left += 1;
            }
        }
        left
    }

    /// The client of a session has a new token, which names these groups: the session is in them, in those that it joined, and in
    /// no other.
    ///
    /// # Errors
    /// [`ResumeError`]; then nothing has changed.
    pub(crate) fn renew_groups(
        &mut self,
        id: SessionId,
        named: &[GroupId],
        out: &mut Vec<Directive>,
    ) -> Result<(), ResumeError> {
        let key = self.by_id.get(&id).copied().ok_or(ResumeError::Unknown)?;
        let Session { groups, token_groups, .. } = &self.sessions[key];
        let (mut joined, mut revoked) = (groups.clone(), token_groups.clone());
        joined.retain(|group| token_groups.binary_search(group).is_err());
        let named: Vec<GroupId> = sorted(named.to_vec());
        revoked.retain(|group| named.binary_search(group).is_err());
        let fresh: Vec<GroupId> =
            named.into_iter().filter(|group| joined.binary_search(group).is_err()).collect();
        if joined.len() + fresh.len() > self.policy.groups_per_session_max {
            return Err(ResumeError::TooManyGroups);
        }
        for group in &revoked {
            self.end_membership(key, group, out);
        }
        for group in &fresh {
            self.add_member(key, group, out);
        }
        self.sessions[key].token_groups = fresh;
        Ok(())
    }

    /// Whether a group has members here.
    pub(crate) fn has_group(&self, group: &GroupId) -> bool {
        self.by_group.contains_key(group)
    }

    pub(super) fn add_member(&mut self, key: Key, group: &GroupId, out: &mut Vec<Directive>) {
        let groups = &mut self.sessions[key].groups;
        let Err(position) = groups.binary_search(group) else { return };
        groups.insert(position, group.clone());
        let members = self.by_group.entry(group.clone()).or_default();
        if members.is_empty() {
            out.push(Directive::GroupAppeared(group.clone()));
        }
        members.insert(key);
    }

    /// Both halves of an end of membership. Gives back whether the session was a member.
    fn end_membership(&mut self, key: Key, group: &GroupId, out: &mut Vec<Directive>) -> bool {
        let Session { groups, token_groups, recent, spread_before, .. } = &mut self.sessions[key];
        let Ok(position) = groups.binary_search(group) else { return false };
        groups.remove(position);
        token_groups.retain(|named| named != group);
        // From now on it does not follow from its groups any more that it was given these.
        if let Some(recent) = recent {
            recent.add(self.lately.given_to(std::slice::from_ref(group), *spread_before));
        }
        self.remove_member(key, group, out);
        true
    }

    /// The group's half of an end of membership; the session's half is the caller's.
    pub(super) fn remove_member(&mut self, key: Key, group: &GroupId, out: &mut Vec<Directive>) {
        let Some(members) = self.by_group.get_mut(group) else { return };
        members.remove(&key);
        if members.is_empty() {
            self.by_group.remove(group);
            out.push(Directive::GroupVanished(group.clone()));
        }
    }

    /// A session's gateway shall know its groups, in case we die.
    pub(super) fn tell_checkpoint(&self, key: Key, out: &mut Vec<Directive>) {
        let session = &self.sessions[key];
        if let Place::Attached(address) = session.place {
            out.push(Directive::Checkpoint { address, state: Box::new(session.checkpoint()) });
        }
    }
}
