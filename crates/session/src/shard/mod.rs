//! A worker's share of the cluster: the sessions that it has, those that it expects, those that it gives away, and the fence
//! that decides whether it acts at all. Pure: events and the time come in, [`Directive`]s go out.
//!
//! The laws:
//! - A worker acts for a user only while it owns the user by the ring that it has adopted, while its lease is valid, and when
//!   every other worker has said what it holds of that user.
//! - A message for a user is given to every session of the user that is here, and kept for every one that is to arrive; in
//!   the order of the calls.
//! - A session leaves with everything that it has; what comes after that goes to its new owner.

#[cfg(test)]
mod aftermath;
mod arrivals;
#[cfg(test)]
mod clients;
mod departures;
mod mailbox;
mod moves;
mod opening;
mod presence;
mod send;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ringway_ring::{MemberId, Ring, RingVersion, Slot};
use rustc_hash::FxHashSet;

pub use arrivals::HeldSession;
pub use mailbox::StoredElsewhere;
pub use opening::{NotOpened, Reopening, Resuming};
pub use send::{NotHere, Sending, Sent};

use self::arrivals::{Arrivals, KeptBounds};
use self::departures::Departures;
use crate::close::CloseCode;
use crate::conduct::Verdict;
use crate::directive::{Address, Channel, Directive, Fate, LinkId, Ticket};
use crate::id::SessionId;
use crate::moment::Moment;
use crate::name::{GroupId, UserId, user_hash};
use crate::payload::Payload;
use crate::policy::{MovePolicy, Policy};
use crate::queue::Acked;
use crate::session::Place;
use crate::state::SessionState;
use crate::table::{OpenError, SessionTable, Speaker, Target};

/// A worker's share of the cluster.
#[derive(Debug)]
pub struct Shard {
    me: MemberId,
    ring: Arc<Ring>,
    policy: MovePolicy,
    table: SessionTable,
    arrivals: Arrivals,
    departures: Departures,
    /// Groups without members here, of whose members some have left and are followed.
    lingering: FxHashSet<GroupId>,
    /// Until when the worker may act, if its lease says so.
    valid_until: Option<Moment>,
}

/// Why a worker does not act for a user now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fenced {
    NotOwner,
    Lapsed,
    Unsettled,
}

impl Shard {
    /// A worker without sessions that has adopted no ring yet: `empty` is one without members.
    pub fn new(me: MemberId, policy: Policy, moves: MovePolicy, empty: Arc<Ring>) -> Self {
        let kept = KeptBounds {
            session_bytes_max: policy.queue_bytes_max,
            bytes_max: moves.kept_bytes_max,
            doubted_longer: moves.resume_window.saturating_sub(moves.orphan_window),
        };
        Shard {
            arrivals: Arrivals::new(me.clone(), Arc::clone(&empty), kept),
            me,
            ring: empty,
            policy: moves,
            table: SessionTable::new(policy),
            departures: Departures::default(),
            lingering: FxHashSet::default(),
            valid_until: None,
        }
    }

    /// Acts by a new ring from now on. `others` are all other workers that may hold sessions, also those that left it: each
    /// must be asked what it holds ([`Shard::holding`]). Those that are not among them any more are [lost](Shard::lost).
    pub fn adopt(
        &mut self,
        ring: Arc<Ring>,
        others: impl IntoIterator<Item = MemberId>,
        now: Moment,
        out: &mut Vec<Directive>,
    ) {
        self.ring = ring;
        let ring = Arc::clone(&self.ring);
        self.arrivals.ring_changed(Arc::clone(&ring), others, now + self.policy.orphan_window, out);
        let owned = |id: SessionId| ring.owner_of_slot(id.slot()) == Some(&self.me);
        let foreign = self.table.mark_foreign(|id| !owned(id));
        self.table.read_on_all(out);
        if let Some(until) = self.recent_until(now) {
            self.table.remember(&foreign, until);
        }
        self.departures.ring_changed(foreign);
        // Those that were on their way to somebody else are to come back.
        let until = Some(now + self.policy.transit_max);
        for (id, transit) in self.departures.in_transit().filter(|(id, _)| owned(*id)) {
            self.arrivals.expect(id, transit.user_hash, &self.me, until);
        }
    }

    /// Of the `others` by the ring that was adopted, these are in the view no more: they may be dead.
    pub fn departed(&mut self, holders: impl IntoIterator<Item = MemberId>) {
        self.arrivals.departed(holders.into_iter().collect());
    }

    /// Until when the worker may act, if its lease says so.
    pub fn set_valid_until(&mut self, valid_until: Option<Moment>) {
        self.valid_until = valid_until;
    }

    /// Whether the worker must act for nobody, since its lease has run out.
    pub fn is_lapsed(&self, now: Moment) -> bool {
        self.policy.protections.fence && self.valid_until.is_some_and(|until| until <= now)
    }

    /// Its lease had run out and is valid again. Others may have acted for its users meanwhile, also if it has seen no other
    /// ring: it acts again when it has [adopted](Shard::adopt) the ring once more and all have said what they hold.
    pub fn unsettle(&mut self) {
        self.arrivals.unsettle();
    }

    /// The ring by which it acts.
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// The version of that ring.
    pub fn ring_version(&self) -> RingVersion {
        self.ring.version()
    }

    /// The sessions that are here.
    pub fn table(&self) -> &SessionTable {
        &self.table
    }

    /// What a session's gateway shall keep of it, in case this worker dies.
    pub fn checkpoint(&self, id: SessionId) -> Option<SessionState> {
        self.table.checkpoint(id)
    }

    /// How many sessions are to arrive.
    pub fn expected(&self) -> usize {
        self.arrivals.len()
    }

    /// How many sessions have left and not arrived, as far as is known.
    pub fn in_transit(&self) -> usize {
        self.departures.in_transit_count()
    }

    /// How many sessions have left and are followed: those in transit, and those that have arrived lately.
    pub fn followed(&self) -> usize {
        self.departures.followed().count()
    }

    /// The sessions of a user that are to arrive.
    #[cfg(test)]
    pub(crate) fn expected_of(&self, user: &UserId) -> Vec<SessionId> {
        self.arrivals.of_user(user_hash(user))
    }

    /// Whether all sessions of a user are here. Those that are to arrive are asked to come before others.
    pub fn has_all_of(&mut self, user: &UserId, out: &mut Vec<Directive>) -> bool {
        let hash = user_hash(user);
        let expected = self.arrivals.of_user(hash);
        expected.iter().for_each(|id| self.arrivals.hasten(*id, out));
        expected.is_empty() && self.is_settled(Slot::of_hash(hash))
    }

    /// Whether a session is to arrive from a worker that can be asked.
    pub fn expects(&self, id: SessionId) -> bool {
        self.arrivals.is_expected(id)
    }

    /// Whether a session is here, if it exists. If it is to arrive it is asked to come before others.
    pub fn has_arrived(&mut self, id: SessionId, out: &mut Vec<Directive>) -> bool {
        let is_expected = self.arrivals.is_expected(id);
        if is_expected {
            self.arrivals.hasten(id, out);
        }
        !is_expected && self.is_settled(id.slot())
    }

    /// Whether the others have said what they hold of this slot.
    pub fn is_settled(&self, slot: Slot) -> bool {
        self.arrivals.is_settled(slot)
    }

    /// The workers that have not said what they hold.
    pub fn unheard(&self) -> impl Iterator<Item = &MemberId> {
        self.arrivals.unheard()
    }

    /// A client's socket is gone. If the client may come back for a session that can be resumed, the session waits for it.
    pub fn gone(
        &mut self,
        address: Address,
        may_resume: bool,
        now: Moment,
        out: &mut Vec<Directive>,
    ) -> Option<SessionId> {
        if let Some(id) = self.departures.at(address) {
            let ended = self.departures.ended(id);
            self.finish_transit(id, out);
            out.extend(ended.map(Directive::Ended));
            return Some(id);
        }
        if !may_resume || !self.table.is_framed(address) {
            let id = self.table.gone(address, out)?;
            self.departures.forget(id);
            return Some(id);
        }
        let id = self.table.suspend(address, now + self.policy.resume_window)?;
        self.go_without_gateway(id);
        Some(id)
    }

    /// A gateway's link is gone. Its sessions wait: for their gateway, or for their clients. Gives back how many. Those that have
    /// left by it are expected to arrive for no longer than those that are here: their gateway may be dead.
    pub fn link_gone(&mut self, link: LinkId, now: Moment) -> usize {
        let MovePolicy { resume_window, reopen_window, .. } = self.policy;
        let sessions = self.table.link_gone(link, now, resume_window, reopen_window);
        self.departures.link_gone(link, now + reopen_window);
        if self.departures.is_under_way() {
            let foreign: Vec<SessionId> = self.departures.all_told().collect();
            for id in
                foreign.into_iter().filter(|id| matches!(self.table.place(*id), Some(Place::Suspended(_))))
            {
                self.departures.due_again(id);
            }
        }
        sessions
    }

    /// Takes note of what a client has; nothing if there is no such session.
    pub fn acknowledge(&mut self, address: Address, offset: u64, out: &mut Vec<Directive>) -> Option<Acked> {
        self.table.acknowledge(address, offset, out)
    }

    /// A client has sent a frame that is no acknowledgement; nothing if there is no such session.
    pub fn client_spoke(&mut self, address: Address, now: Moment) -> Option<Speaker> {
        self.table.client_spoke(address, now)
    }

    /// A client has done what it must not; nothing if there is no such session.
    pub fn offence(&mut self, address: Address, now: Moment) -> Option<Verdict> {
        self.table.offence(address, now)
    }

    /// Sends something of the cluster's own to one session.
    pub fn send_aside(&mut self, address: Address, payload: Payload, out: &mut Vec<Directive>) {
        self.table.send_aside(address, payload, out);
    }

    /// Closes sessions and forgets them. Gives back how many.
    pub fn close(
        &mut self,
        target: &Target,
        code: CloseCode,
        reason: &str,
        out: &mut Vec<Directive>,
    ) -> usize {
        self.table.close(target, code, reason, out)
    }

    /// Closes every session and forgets it. Gives back how many.
    pub fn close_all(&mut self, code: CloseCode, reason: &str, out: &mut Vec<Directive>) -> usize {
        self.table.close_all(code, reason, out)
    }

    /// Makes sessions members of a group. Gives back how many of those named are members now.
    ///
    /// # Errors
    /// [`OpenError::TooManyGroups`]; then nothing has changed.
    pub fn join(
        &mut self,
        target: &Target,
        group: &GroupId,
        out: &mut Vec<Directive>,
    ) -> Result<usize, OpenError> {
        self.table.join(target, group, out)
    }

    /// Ends memberships. Gives back how many of the sessions named were members.
    pub fn leave(&mut self, target: &Target, group: &GroupId, out: &mut Vec<Directive>) -> usize {
        self.table.leave(target, group, out)
    }

    /// Takes note of bytes that have left for clients.
    pub fn written(
        &mut self,
        link: LinkId,
        reports: impl IntoIterator<Item = (Channel, u64)>,
        out: &mut Vec<Directive>,
    ) {
        self.table.written(link, reports, out);
    }

    /// Takes note that a link's stream has taken messages of this cost.
    pub fn taken(&mut self, link: LinkId, bytes: u64, out: &mut Vec<Directive>) {
        self.table.taken(link, bytes, out);
    }

    /// Nobody waits for a kept message any more: it is not given to anybody.
    pub fn withdraw(&mut self, ticket: Ticket) {
        self.arrivals.withdraw(ticket);
    }

    /// Ends what has lasted too long. To be called a few times in a second.
    pub fn expire(&mut self, now: Moment, out: &mut Vec<Directive>) {
        self.table.expire(now, out);
        self.table.forget_recent(now, self.policy.follow_window * 2);
        self.table.tell_watchers(out);
        let first = out.len();
        let table = &self.table;
        let named_by_nobody = self.arrivals.expire(now, |id| table.place(id).is_some(), out);
        self.hand_out_to(named_by_nobody, out);
        for id in self.departures.late(now) {
            self.finish_transit(id, out);
        }
        self.disclaim(now, &mut out[first..]);
        let (departures, table) = (&self.departures, &self.table);
        let over = self.lingering.extract_if(|group| !departures.follows_one_of(group));
        out.extend(over.filter(|group| !table.has_group(group)).map(Directive::GroupVanished));
    }

    /// Whether the group's messages are still to come here, although its [last member](Directive::GroupVanished) has gone: one
    /// that has left is followed, and its new owner may not have told the group's home of it yet. When it is over, it is
    /// directed once more.
    pub fn lingers(&mut self, group: &GroupId) -> bool {
        let lingers = self.departures.follows_one_of(group);
        if lingers {
            self.lingering.insert(group.clone());
        }
        lingers
    }

    /// Until when a session remembers what it was given, from when it is between two workers.
    fn recent_until(&self, now: Moment) -> Option<Moment> {
        self.policy.protections.once.then(|| now + self.policy.follow_window * 2)
    }

    /// A worker that may not act any more says of nobody that he does not come: he may be at another one by now.
    fn disclaim(&self, now: Moment, directives: &mut [Directive]) {
        if self.is_lapsed(now) {
            for directive in directives {
                if let Directive::Settled { fate: fate @ Fate::Ended, .. } = directive {
                    *fate = Fate::Elsewhere;
                }
            }
        }
    }

    fn owns(&self, slot: Slot) -> bool {
        self.ring.owner_of_slot(slot) == Some(&self.me)
    }

    /// Whether the worker may act for the users of a slot.
    fn fence(&self, slot: Slot, now: Moment) -> Result<(), Fenced> {
        if !self.policy.protections.fence {
            return Ok(());
        }
        if self.is_lapsed(now) {
            return Err(Fenced::Lapsed);
        }
        if !self.owns(slot) {
            return Err(Fenced::NotOwner);
        }
        if self.is_settled(slot) { Ok(()) } else { Err(Fenced::Unsettled) }
    }
}
