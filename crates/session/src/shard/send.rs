//! Messages: to the sessions that are here, to those that are to arrive, and after those that have left.

use std::collections::BTreeMap;

use ringway_ring::{MemberId, Slot};

use super::arrivals::{Audience, NotKept};
use super::{Fenced, Shard, user_hash};
use crate::directive::{Address, Directive, Ticket};
use crate::id::SessionId;
use crate::message::Message;
use crate::moment::Moment;
use crate::name::{GroupId, UserId};
use crate::session::Place;
use crate::table::Reach;

/// A message, and the sessions that shall not receive it.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// The message.
    pub message: &'a Message,
    /// Who shall not receive it.
    pub exclude: &'a [SessionId],
}

impl<'a> Sending<'a> {
    /// A message for everybody whom it concerns.
    pub fn of(message: &'a Message) -> Self {
        Sending { message, exclude: &[] }
    }
}

/// A message was put on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The sessions that are here.
    pub reach: Reach,
    /// For each session that is to arrive, the message as it waits for it: the end comes as [`Directive::Settled`]. If the session
    /// turns out to go [elsewhere](crate::Fate::Elsewhere), the message must be sent on to it.
    pub tickets: Vec<Ticket>,
    /// Sessions on their way to other workers, to which the message must be sent on.
    pub onward: BTreeMap<MemberId, Vec<SessionId>>,
    /// Sessions that this worker cannot send to, nor after: they belong to another worker by its ring, which may be older or newer than
    /// the one by which the message was sent here, or it may not act any more. Whoever sent the message here must send it after them.
    pub strayed: Vec<SessionId>,
}

/// Why a message was not taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotHere {
    /// The user belongs to another worker, or this one may act for nobody now.
    NotOwner,
    /// The user has only just come to this worker, and the others have not said what they hold: ask again.
    Unsettled,
    /// So many messages wait for sessions to appear that there is no room for another one.
    Crowded,
}

impl Shard {
    /// Sends to all sessions of a user, also to those that are to arrive.
    ///
    /// # Errors
    /// [`NotHere`].
    pub fn send_to_user(
        &mut self,
        user: &UserId,
        sending: Sending<'_>,
        now: Moment,
        out: &mut Vec<Directive>,
    ) -> Result<Sent, NotHere> {
        let hash = user_hash(user);
        self.fence(Slot::of_hash(hash), now).map_err(|fenced| match fenced {
            Fenced::NotOwner | Fenced::Lapsed => NotHere::NotOwner,
            Fenced::Unsettled => NotHere::Unsettled,
        })?;
        let Sending { message, exclude } = sending;
        let reach = self.table.send_to_user(user, message, exclude, out);
        let mut sent = Sent { reach, ..Sent::default() };
        if self.arrivals.is_quiet() || !self.policy.protections.keeping {
            return Ok(sent);
        }
        let expected = self.arrivals.of_user(hash);
        let is_nobody = expected.is_empty() && sent.reach == Reach::default();
        if expected.is_empty() && !is_nobody {
            return Ok(sent);
        }
        // One that does not arrive may be followed by others of the user, of whom these are no news to anybody.
        let except = self.table.ids_of(user).chain(exclude.iter().copied()).collect();
        let audience = Audience::User(user.clone(), except);
        for id in expected.iter().filter(|id| !exclude.contains(id)) {
            sent.add(self.keep(*id, message, audience.clone(), out));
        }
        if is_nobody && self.policy.protections.orphans {
            match self.arrivals.keep_for_orphan(hash, message, audience, now) {
                Ok(ticket) => sent.tickets.push(ticket),
                Err(NotKept::NoOrphan) => {}
                Err(NotKept::Full) => return Err(NotHere::Crowded),
            }
        }
        Ok(sent)
    }

    /// Sends to all members of a group that are here, or have left and not arrived.
    pub fn send_to_group(
        &mut self,
        group: &GroupId,
        sending: Sending<'_>,
        now: Moment,
        out: &mut Vec<Directive>,
    ) -> Sent {
        let reach = self.table.send_to_group(group, sending.message, sending.exclude, out);
        let mut sent = Sent { reach, ..Sent::default() };
        let returning = self.follow(sending, &mut sent, now, |groups| groups.contains(group));
        self.keep_for(returning, sending.message, &mut sent, out);
        sent
    }

    /// Sends to every session that is here, or has left and not arrived.
    pub fn send_to_all(&mut self, sending: Sending<'_>, now: Moment, out: &mut Vec<Directive>) -> Sent {
        let reach = self.table.send_to_all(sending.message, sending.exclude, out);
        let mut sent = Sent { reach, ..Sent::default() };
        let returning = self.follow(sending, &mut sent, now, |_| true);
        self.keep_for(returning, sending.message, &mut sent, out);
        sent
    }

    /// Sends to sessions that belong here by another worker's ring. Those that belong elsewhere by the ring of this worker have
    /// strayed; of those that have ended nothing comes.
    pub fn send_to_sessions(
        &mut self,
        ids: &[SessionId],
        message: &Message,
        now: Moment,
        out: &mut Vec<Directive>,
    ) -> Sent {
        let (mut sent, is_lapsed) = (Sent::default(), self.is_lapsed(now));
        for id in ids {
            // A copy that waits for its client may be outdated, as long as not everybody has said what it holds, or since this worker
            // was given up and does not know it yet.
            let is_doubtful = matches!(self.table.place(*id), Some(Place::Suspended(_)))
                && (is_lapsed || !self.is_settled(id.slot()));
            if self.table.place(*id).is_some() && !is_doubtful {
                sent.reach += self.table.send_to_session(*id, message, out);
                continue;
            }
            if !self.policy.protections.keeping {
                continue;
            }
            if !self.owns(id.slot()) {
                sent.strayed.push(*id);
            } else if is_doubtful || self.arrivals.knows(*id) || self.fence(id.slot(), now).is_err() {
                self.arrivals.expect_unnamed(*id, now + self.policy.follow_window);
                sent.add(self.keep(*id, message, Audience::Many, out));
            }
        }
        sent
    }

    /// Sends to the session at an address, if there is one.
    pub fn send_to_address(
        &mut self,
        address: Address,
        message: &Message,
        out: &mut Vec<Directive>,
    ) -> Reach {
        self.table.send_to_address(address, message, out)
    }

    /// After those that have left. Gives back those that are to come back, each with the moment until when it is followed.
    fn follow(
        &self,
        Sending { exclude, .. }: Sending<'_>,
        sent: &mut Sent,
        now: Moment,
        concerns: impl Fn(&[GroupId]) -> bool,
    ) -> Vec<(SessionId, Moment)> {
        let (is_lapsed, mut returning) = (self.is_lapsed(now), Vec::new());
        for (id, transit) in self.departures.followed() {
            let is_over = transit.has_arrived && !self.policy.protections.follow;
            if is_over || exclude.contains(&id) || !concerns(&transit.groups) {
                continue;
            }
            match self.ring.owner_of_slot(id.slot()) {
                _ if is_lapsed => sent.strayed.push(id),
                Some(owner) if *owner == self.me => returning.push((id, transit.until)),
                Some(owner) => sent.onward.entry(owner.clone()).or_default().push(id),
                None => {}
            }
        }
        returning
    }

    fn keep_for(
        &mut self,
        returning: Vec<(SessionId, Moment)>,
        message: &Message,
        sent: &mut Sent,
        out: &mut Vec<Directive>,
    ) {
        for (id, until) in returning {
            if !self.is_settled(id.slot()) {
                self.arrivals.expect_unnamed(id, until);
            }
            if self.arrivals.knows(id) {
                sent.add(self.keep(id, message, Audience::Many, out));
            }
        }
    }

    fn keep(
        &mut self,
        id: SessionId,
        message: &Message,
        audience: Audience,
        out: &mut Vec<Directive>,
    ) -> Option<Ticket> {
        let ticket = self.arrivals.keep(id, message, audience)?;
        self.arrivals.hasten(id, out);
        Some(ticket)
    }
}

impl Sent {
    /// Adds a message that was kept for a session, unless there was no room for it.
    fn add(&mut self, kept: Option<Ticket>) {
        match kept {
            Some(ticket) => self.tickets.push(ticket),
            None => self.reach.overflowed += 1,
        }
    }
}
