//! Sessions that begin here: new ones, those that a gateway brings, those that a client resumes.

use std::sync::Arc;

use super::{Fenced, Shard, user_hash};
use crate::close::CloseCode;
use crate::directive::{Address, Directive, Fate};
use crate::frame::{self, Welcome};
use crate::id::SessionId;
use crate::moment::Moment;
use crate::name::{GroupId, UserId};
use crate::permissions::Permissions;
use crate::session::{Opening, Place};
use crate::state::SessionState;
use crate::table::{Attached, Claim, OpenError, Reach, ResumeError, Target};

/// Why a session did not begin here. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The user belongs to another worker, or this one may act for nobody now.
    #[error("the user belongs to another worker")]
    NotOwner,
    /// The others have not said what they hold, or another worker is about to send the session: ask again.
    #[error("the session's former worker has not let it go yet")]
    Unsettled,
    /// A later attempt of its client has the session: this one's socket is not the client's any more.
    #[error("a later attempt of this client has resumed the session")]
    Outdated,
    /// A bound of the table.
    #[error(transparent)]
    Table(#[from] OpenError),
    /// It cannot be resumed.
    #[error(transparent)]
    Resume(#[from] ResumeError),
}

impl From<Fenced> for NotOpened {
    fn from(fenced: Fenced) -> Self {
        match fenced {
            Fenced::NotOwner | Fenced::Lapsed => NotOpened::NotOwner,
            Fenced::Unsettled => NotOpened::Unsettled,
        }
    }
}

/// A session that a gateway brings: its client has never noticed anything.
#[derive(Clone, Debug)]
pub struct Reopening {
    /// Where it is now.
    pub address: Address,
    /// What is left of it.
    pub state: SessionState,
    /// Whether that is everything: its former worker has let it go, and no other has begun with it. Otherwise it is a
    /// checkpoint.
    pub complete: bool,
    /// The highest offset that was passed to the client; 0 for none.
    pub passed_offset: u64,
    /// How many messages were passed to the client since its former worker let it go.
    pub passed_messages: u64,
}

/// A client that wants to go on with its session over a new socket.
#[derive(Clone, Debug)]
pub struct Resuming {
    /// The session.
    pub id: SessionId,
    /// Who the client is.
    pub user: UserId,
    /// The groups that its token names: of those that the session has from an earlier one, no other stays.
    pub groups: Vec<GroupId>,
    /// What it may do by that token.
    pub permissions: Arc<Permissions>,
    /// Where it is now.
    pub address: Address,
    /// The highest offset that it has; 0 for none.
    pub offset: u64,
    /// Which of its attempts this is: a greater number is a later one. 0 if it does not number them.
    pub attempt: u64,
    /// With what it may do so again.
    pub resume_token: Box<str>,
}

impl Shard {
    /// Adds a new session, closing others of its user where the policy says so.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(&mut self, opening: Opening, now: Moment, out: &mut Vec<Directive>) -> Result<(), NotOpened> {
        self.fence(opening.id.slot(), now)?;
        let (id, user, address) = (opening.id, opening.user.clone(), opening.address);
        let (epoch, token) = (opening.epoch, opening.resume_token.clone());
        let expected = self.arrivals.of_user(user_hash(&user)).len();
        self.table.open_beside(expected, opening, out)?;
        self.welcome(address, id, &token, epoch, 0, false, out);
        self.hand_out(id, &user, out);
        Ok(())
    }

    /// Goes on with a session that a gateway brings.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn reopen(
        &mut self,
        reopening: Reopening,
        now: Moment,
        out: &mut Vec<Directive>,
    ) -> Result<SessionId, NotOpened> {
        let Reopening { address, state, complete, passed_offset, passed_messages } = reopening;
        let (id, user) = (state.id, state.user.clone());
        // Also what is complete waits until all have been heard: before that, another worker may act for the user by its ring,
        // and would take the session for ended once its former worker lets it go.
        self.fence(id.slot(), now)?;
        self.close_outdated(id, |term| if complete { term <= state.term } else { term < state.term }, out);
        let attempt = state.stream.as_ref().map_or(0, |stream| stream.attempt);
        if self.table.is_outdated(id, attempt) {
            return Err(NotOpened::Outdated);
        }
        if self.table.place(id).is_some() {
            self.table.attach(Claim { id, user: &user, address, offset: passed_offset, attempt }, out)?;
        } else if !complete && self.arrivals.is_expected(id) {
            self.arrivals.hasten(id, out);
            return Err(NotOpened::Unsettled);
        } else {
            let state = state.in_next_term(complete).without_passed(passed_messages);
            self.table.restore(state, Place::Attached(address), self.recent_until(now), out)?;
            self.table.rewind(id, passed_offset);
            if !complete {
                self.arrivals.drop_ambiguous(id, out);
            }
        }
        self.hand_out(id, &user, out);
        self.table.tell_watchers(out);
        Ok(id)
    }

    /// Goes on with a session whose client has a new socket.
    ///
    /// # Errors
    /// [`NotOpened`]; with [`ResumeError`] the client may have a new session.
    pub fn resume(
        &mut self,
        resuming: Resuming,
        now: Moment,
        out: &mut Vec<Directive>,
    ) -> Result<Attached, NotOpened> {
        let Resuming { id, user, groups, permissions, address, offset, attempt, resume_token } = resuming;
        self.fence(id.slot(), now)?;
        // Also one that has left from here and belongs here by now: its gateway is about to bring it back.
        if self.arrivals.is_expected(id) || self.departures.is_in_transit(id) {
            self.arrivals.hasten(id, out);
            return Err(NotOpened::Unsettled);
        }
        if self.table.place(id).is_some()
            && !(self.table.is_of(id, &user) && self.table.knows_offset(id, offset))
        {
            return Err(ResumeError::NotTheirs.into());
        }
        if self.table.is_outdated(id, attempt) {
            return Err(NotOpened::Outdated);
        }
        self.table.renew_groups(id, &groups, out)?;
        self.table.renew_permissions(id, permissions);
        let attached = self.table.attach(Claim { id, user: &user, address, offset, attempt }, out)?;
        // What the client says to have it has acknowledged by that.
        self.table.acknowledge(address, offset, out);
        let epoch = self.table.checkpoint(id).and_then(|state| state.stream).map_or(0, |stream| stream.epoch);
        self.welcome(address, id, &resume_token, epoch, offset, attached.complete, out);
        self.table.flush(id, out);
        self.table.tell_watchers(out);
        Ok(attached)
    }

    /// Takes over a session that has no gateway at present.
    ///
    /// # Errors
    /// [`NotOpened`]. A session that is here already is [`OpenError::InUse`].
    pub fn take_over(
        &mut self,
        state: SessionState,
        until: Moment,
        now: Moment,
        out: &mut Vec<Directive>,
    ) -> Result<(), NotOpened> {
        self.fence(state.id.slot(), now)?;
        let (id, user) = (state.id, state.user.clone());
        self.close_outdated(id, |term| term < state.term, out);
        let state = state.in_next_term(true);
        self.table.restore(state, Place::Suspended(until), self.recent_until(now), out)?;
        self.hand_out(id, &user, out);
        Ok(())
    }

    /// Forgets a copy of a session that went on elsewhere.
    pub(super) fn close_outdated(
        &mut self,
        id: SessionId,
        is_outdated: impl Fn(u64) -> bool,
        out: &mut Vec<Directive>,
    ) {
        if self.policy.protections.terms && self.table.term(id).is_some_and(is_outdated) {
            self.table.close(&Target::Session(id), CloseCode::RESUMED, "the session goes on elsewhere", out);
        }
    }

    /// Gives sessions that are here what was kept for them.
    pub(super) fn hand_out_to(&mut self, ids: Vec<SessionId>, out: &mut Vec<Directive>) {
        for id in ids {
            if let Some(session) = self.table.session(id) {
                self.hand_out(id, &session.user, out);
            }
        }
    }

    /// Gives a session what was kept for it, after what it brought itself.
    pub(super) fn hand_out(&mut self, id: SessionId, user: &UserId, out: &mut Vec<Directive>) {
        // It may have left from here, and come back.
        self.departures.finish(id);
        if self.table.place(id).is_none() {
            // Its user has other sessions, as many as allowed.
            return self.arrivals.release(id, Fate::Ended, out);
        }
        for kept in self.arrivals.arrived(id, user, user_hash(user), out) {
            let reach = self.table.send_to_session(id, &kept.message, out);
            let fate = match reach {
                Reach { overflowed: 1.., .. } => Fate::Overflowed,
                Reach { suspended: 1.., .. } => Fate::Suspended,
                Reach { sessions: 1.., .. } => Fate::Taken,
                Reach { .. } => Fate::Had,
            };
            out.push(Directive::Settled { ticket: kept.ticket, fate });
        }
        self.table.flush(id, out);
    }

    #[allow(clippy::too_many_arguments, reason = "the welcome's own fields")]
    fn welcome(
        &mut self,
        address: Address,
        id: SessionId,
        resume_token: &str,
        epoch: u64,
        offset: u64,
        recovered: bool,
        out: &mut Vec<Directive>,
    ) {
        if !self.table.is_framed(address) {
            return;
        }
        let welcome = Welcome {
            session: id.to_string(),
            resume: resume_token.to_owned(),
            epoch: format!("{epoch:016x}"),
            offset,
            recovered,
            resume_window_ms: millis(self.policy.resume_window),
            ack_within_ms: millis(self.policy.ack_within),
        };
        self.table.send_aside(address, frame::welcome(&welcome), out);
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
