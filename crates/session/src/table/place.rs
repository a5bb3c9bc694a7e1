//! Where a session's client is: behind a gateway, or nowhere for a while; and sessions that come from another worker and
//! go to one.

use std::time::Duration;

use super::link::{Receivers, Releases};
use super::{Key, OpenError, SessionTable};
use crate::close::CloseCode;
use crate::directive::{Address, Directive, LinkId};
use crate::ended::End;
use crate::frame;
use crate::id::SessionId;
use crate::moment::Moment;
use crate::name::UserId;
use crate::payload::Payload;
use crate::queue::{Acked, Stream};
use crate::recent::Recent;
use crate::session::{Place, Session};
use crate::state::SessionState;

/// Somebody at an address wants a session that is here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) id: SessionId,
    /// Whose it must be.
    pub(crate) user: &'a UserId,
    pub(crate) address: Address,
    /// What the client has.
    pub(crate) offset: u64,
    /// Which of the client's attempts it is.
    pub(crate) attempt: u64,
}

/// A client has its session again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Whether no message between what it has and what comes next is lost.
    pub complete: bool,
}

/// Why a session cannot be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// It is not here.
    #[error("the session has ended, or is elsewhere")]
    Unknown,
    /// It belongs to somebody else, or it never sent what the client says to have.
    #[error("the session is not the client's, or never sent the offset that it names")]
    NotTheirs,
    /// With the groups that its new token names it would be in more than it may.
    #[error("the session has joined so many groups that those of the token do not fit")]
    TooManyGroups,
}

impl SessionTable {
    /// Takes a session that another worker had. Until `recent_until` it takes only once what goes to many. If its user has more
    /// sessions than allowed now, the policy says which are closed: it may be this one.
    ///
    /// # Errors
    /// [`OpenError::Full`], or [`OpenError::InUse`]; then nothing has changed.
    pub(crate) fn restore(
        &mut self,
        mut state: SessionState,
        place: Place,
        recent_until: Option<Moment>,
        out: &mut Vec<Directive>,
    ) -> Result<(), OpenError> {
        let max = self.policy.sessions_max;
        if self.sessions.len() >= max {
            return Err(OpenError::Full { max });
        }
        if self.by_id.contains_key(&state.id)
            || place.address().is_some_and(|address| self.at(address).is_some())
        {
            return Err(OpenError::InUse);
        }
        self.opened += 1;
        self.remember_until = self.remember_until.max(recent_until.unwrap_or_default());
        let (user, groups) = (state.user.clone(), state.groups.clone());
        let recent = std::mem::take(&mut state.recent);
        let watches = std::mem::take(&mut state.watches);
        let mut session = Session::restored(state, place, self.opened);
        session.recent = recent_until.map(|_| Box::new(Recent::brought(recent, &self.lately)));
        let key = self.insert(session, out);
        for group in groups {
            self.add_member(key, &group, out);
        }
        self.open_mailbox(key, out);
        self.bring_watches(key, watches, out);
        self.keep_to_bound(&user, out);
        Ok(())
    }

    /// Gives a session that is here to the client at an address, which has everything up to `offset`. A former socket is
    /// closed. What the client lacks follows with [`SessionTable::flush`].
    ///
    /// # Errors
    /// [`ResumeError`]; then nothing has changed.
    pub(crate) fn attach(
        &mut self,
        Claim { id, user, address, offset, attempt }: Claim<'_>,
        out: &mut Vec<Directive>,
    ) -> Result<Attached, ResumeError> {
        let key = self.by_id.get(&id).copied().ok_or(ResumeError::Unknown)?;
        let session = &mut self.sessions[key];
        if session.user != *user {
            return Err(ResumeError::NotTheirs);
        }
        session.queue.attempted(attempt);
        let complete = session.queue.rewind(offset);
        if session.queue.stream().is_none() {
            session.reading.go_back();
        }
        let former = std::mem::replace(&mut session.place, Place::Attached(address));
        session.in_line = false;
        self.forget_place(id, former);
        self.index_place(key, id, Place::Attached(address));
        if let Place::Attached(address) = former {
            let (code, reason) = (CloseCode::RESUMED, "the session goes on over another socket".to_owned());
            out.push(Directive::Close { address, code, reason });
        }
        self.read_on(key, out);
        self.watch_anew(key);
        Ok(Attached { complete })
    }

    /// Whether a session is this user's.
    pub(crate) fn is_of(&self, id: SessionId, user: &UserId) -> bool {
        self.by_id.get(&id).is_some_and(|&key| self.sessions[key].user == *user)
    }

    /// Whether a session's client can have been sent this offset.
    pub(crate) fn knows_offset(&self, id: SessionId, offset: u64) -> bool {
        self.stream(id).is_some_and(|stream| offset <= stream.last)
    }

    /// Whether a later attempt of a session's client has it.
    pub(crate) fn is_outdated(&self, id: SessionId, attempt: u64) -> bool {
        self.stream(id).is_some_and(|stream| attempt < stream.attempt)
    }

    /// The numbered stream of a session that has one.
    fn stream(&self, id: SessionId) -> Option<&Stream> {
        self.by_id.get(&id).and_then(|&key| self.sessions[key].queue.stream())
    }

    /// Sends what waits at a session, as far as there is room.
    pub(crate) fn flush(&mut self, id: SessionId, out: &mut Vec<Directive>) {
        let Some(&key) = self.by_id.get(&id) else { return };
        let session = &mut self.sessions[key];
        let Place::Attached(Address { link: link_id, .. }) = session.place else { return };
        let Some(link) = self.by_link.get_mut(&link_id) else { return };
        let mut releases = Releases::new(link_id, link, &self.policy);
        releases.release(key, session);
        releases.finish(out);
    }

    /// The session at an address has no client for now: it waits until that moment.
    pub(crate) fn suspend(&mut self, address: Address, until: Moment) -> Option<SessionId> {
        let key = self.at(address)?;
        Some(self.suspend_key(key, until))
    }

    /// All sessions of a link that has broken wait: those that can be resumed by their clients for `resume_window`, the others
    /// for `reopen_window`, within which their gateway may open them again. Gives back how many.
    pub(crate) fn link_gone(
        &mut self,
        link: LinkId,
        now: Moment,
        resume_window: Duration,
        reopen_window: Duration,
    ) -> usize {
        let Some(state) = self.by_link.get(&link) else { return 0 };
        let keys: Vec<Key> = state.channels.values().copied().collect();
        for &key in &keys {
            let numbers = self.sessions[key].queue.stream().is_some();
            let window = if numbers { resume_window.max(reopen_window) } else { reopen_window };
            self.suspend_key(key, now + window);
        }
        self.by_link.remove(&link);
        keys.len()
    }

    /// Ends the sessions whose clients did not come back in time.
    pub(crate) fn expire(&mut self, now: Moment, out: &mut Vec<Directive>) {
        while let Some(&(until, session)) = self.waits.first()
            && until <= now
        {
            self.waits.pop_first();
            if let Some(&key) = self.by_id.get(&session) {
                let ended = self.remove(key, out);
                out.push(Directive::Expired { session });
                self.tell_end(&ended, End::Expired, out);
            }
        }
    }

    /// Takes note of what a client has.
    pub(crate) fn acknowledge(
        &mut self,
        address: Address,
        offset: u64,
        out: &mut Vec<Directive>,
    ) -> Option<Acked> {
        let key = self.at(address)?;
        let acked = self.sessions[key].queue.acknowledge(offset);
        self.read_on(key, out);
        Some(acked)
    }

    /// Whether the session at an address speaks `ringway.v1.json`.
    pub fn is_framed(&self, address: Address) -> bool {
        self.at(address).is_some_and(|key| self.sessions[key].subprotocol() == frame::SUBPROTOCOL)
    }

    /// Takes a session out, to be brought elsewhere.
    pub(crate) fn take_out(&mut self, id: SessionId, out: &mut Vec<Directive>) -> Option<SessionState> {
        let key = self.by_id.get(&id).copied()?;
        let session = &mut self.sessions[key];
        let state = session.state(&self.lately);
        session.foreign = false;
        self.remove(key, out);
        Some(state)
    }

    /// Where a session's client is, if the session is here.
    pub(crate) fn place(&self, id: SessionId) -> Option<Place> {
        self.by_id.get(&id).map(|&key| self.sessions[key].place)
    }

    /// In which term a session is, if it is here.
    pub(crate) fn term(&self, id: SessionId) -> Option<u64> {
        self.by_id.get(&id).map(|&key| self.sessions[key].term)
    }

    /// Says of each session whether it belongs elsewhere. Gives back those that do.
    pub(crate) fn mark_foreign(&mut self, is_foreign: impl Fn(SessionId) -> bool) -> Vec<SessionId> {
        let mut foreign = Vec::new();
        for (_, session) in &mut self.sessions {
            session.foreign = is_foreign(session.id);
            if session.foreign {
                foreign.push(session.id);
            }
        }
        foreign
    }

    /// A session belongs elsewhere.
    pub(crate) fn set_foreign(&mut self, id: SessionId) {
        if let Some(&key) = self.by_id.get(&id) {
            self.sessions[key].foreign = true;
        }
    }

    /// A session's client was passed everything up to this offset, by whatever way: what comes after it goes again. One that does
    /// not number its messages has none.
    pub(crate) fn rewind(&mut self, id: SessionId, offset: u64) {
        let session = self.by_id.get(&id).map(|&key| &mut self.sessions[key]);
        if let Some(session) = session.filter(|session| session.queue.stream().is_some()) {
            session.queue.rewind(offset);
        }
    }

    /// Sends something of the cluster's own to the session at an address, before everything that waits.
    pub(crate) fn send_aside(&mut self, address: Address, payload: Payload, out: &mut Vec<Directive>) {
        if let Some(link) = self.by_link.get_mut(&address.link) {
            let mut receivers = Receivers::default();
            receivers.add(address.channel, 0);
            link.charge(receivers.cost_bytes(&payload));
            out.push(receivers.deliver(address.link, payload));
        }
    }

    /// Until that moment these sessions remember what they are given of what goes to many, and what they were given lately.
    pub(crate) fn remember(&mut self, ids: &[SessionId], until: Moment) {
        for key in ids.iter().filter_map(|id| self.by_id.get(id)) {
            self.sessions[*key].recent.get_or_insert_default();
        }
        self.remember_until = self.remember_until.max(until);
    }

    /// Sessions that have been here long enough need not remember any more, nor is what was sent to many longer than `age` ago.
    /// The sessions forget everything together, when the last of them may; those that are still to leave remember on. What is old they
    /// forget before that.
    pub(crate) fn forget_recent(&mut self, now: Moment, age: Duration) {
        self.lately.forget(now, age);
        if self.remember_until == Moment::default() {
            return;
        }
        if now < self.remember_until {
            return self.forget_old(now, age);
        }
        let mut some_are_to_leave = false;
        for (_, session) in &mut self.sessions {
            some_are_to_leave |= session.foreign;
            session.recent.take_if(|_| !session.foreign);
        }
        self.remember_until = if some_are_to_leave { now + age } else { Moment::default() };
    }

    /// Looks at all sessions a few times in `age`.
    fn forget_old(&mut self, now: Moment, age: Duration) {
        if now.since(self.forgot_old_at) >= age / 4 {
            self.forgot_old_at = now;
            self.sessions
                .iter_mut()
                .filter_map(|(_, session)| session.recent.as_mut())
                .for_each(|recent| recent.forget(now, age));
        }
    }

    /// What a session's gateway shall keep of it.
    pub(crate) fn checkpoint(&self, id: SessionId) -> Option<SessionState> {
        self.by_id.get(&id).map(|&key| self.sessions[key].checkpoint())
    }

    pub(super) fn index_place(&mut self, key: Key, id: SessionId, place: Place) {
        match place {
            Place::Attached(Address { link, channel }) => {
                self.by_link.entry(link).or_default().channels.insert(channel, key);
            }
            Place::Suspended(until) => _ = self.waits.insert((until, id)),
        }
    }

    pub(super) fn forget_place(&mut self, id: SessionId, place: Place) {
        match place {
            Place::Attached(Address { link, channel }) => {
                if let Some(link) = self.by_link.get_mut(&link) {
                    link.channels.remove(&channel);
                }
            }
            Place::Suspended(until) => _ = self.waits.remove(&(until, id)),
        }
    }

    fn suspend_key(&mut self, key: Key, until: Moment) -> SessionId {
        let session = &mut self.sessions[key];
        let (id, place) = (session.id, Place::Suspended(until));
        session.in_line = false;
        let former = std::mem::replace(&mut session.place, place);
        self.forget_place(id, former);
        self.index_place(key, id, place);
        id
    }
}
