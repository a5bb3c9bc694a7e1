//! Sessions that leave for their new owners, and what other workers say of those that come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringway_ring::{MemberId, Ring};

use super::departures::{Transit, Way};
use super::{HeldSession, Shard, user_hash};
use crate::directive::{Address, Directive, LinkId};
use crate::ended::EndedSession;
use crate::id::SessionId;
use crate::moment::Moment;
use crate::session::Place;
use crate::state::SessionState;
use crate::table::SessionTable;

impl Shard {
    /// Lets up to `sessions_max` sessions begin to leave. Gives back how many do.
    pub fn begin_moves(&mut self, sessions_max: usize, now: Moment, out: &mut Vec<Directive>) -> usize {
        let mut by_link: BTreeMap<LinkId, Vec<u64>> = BTreeMap::new();
        let mut begun = 0;
        let under_way_max = self.policy.moves_under_way_max;
        self.departures.keep_told(|id| self.table.place(id).is_some());
        self.departures.make_room(under_way_max);
        while begun < sessions_max
            && let Some(id) = self.departures.next(under_way_max, |id| way_of(&self.table, id))
        {
            let owner = self.ring.owner_of_slot(id.slot()).filter(|owner| **owner != self.me).cloned();
            let (Some(place), Some(owner)) = (self.table.place(id), owner) else { continue };
            begun += 1;
            match place {
                Place::Attached(Address { link, channel }) => {
                    self.departures.told(id, link);
                    by_link.entry(link).or_default().push(channel.0);
                }
                Place::Suspended(until) => {
                    let Some(state) = self.let_go(id, now, out) else { continue };
                    let resumable_for = until.since(now);
                    out.push(Directive::HandOver { to: owner, state: Box::new(state), resumable_for });
                }
            }
        }
        out.extend(by_link.into_iter().map(|(link, channels)| Directive::Move { link, channels }));
        begun
    }

    /// Whether sessions wait to leave.
    pub fn has_moves(&self) -> bool {
        self.departures.is_due()
    }

    /// Somebody waits for these sessions elsewhere: they leave before the others.
    pub fn hasten(&mut self, ids: &[SessionId]) {
        for &id in ids {
            if self.table.place(id).is_some() && !self.owns(id.slot()) {
                self.departures.hasten(id);
            }
        }
    }

    /// A gateway lets go of a session. Its state is the last that is said of it. Nothing if there is none.
    pub fn detach(&mut self, address: Address, now: Moment, out: &mut Vec<Directive>) -> Option<SessionId> {
        let id = self.table.id_at(address)?;
        let mut state = self.table.take_out(id, out)?;
        if !self.policy.protections.flush {
            state.waiting.clear();
        }
        self.leave_behind(&state, Some(address), now);
        if self.owns(id.slot()) {
            let until = Some(now + self.policy.transit_max);
            self.arrivals.expect(id, user_hash(&state.user), &self.me, until);
        }
        out.push(Directive::Detached { address, state: Box::new(state) });
        Some(id)
    }

    /// A session that left from this address is open elsewhere.
    pub fn arrived(&mut self, address: Address, now: Moment, out: &mut Vec<Directive>) {
        if let Some(id) = self.departures.at(address) {
            self.handed_over(id, now, out);
        }
    }

    /// A session that went without a gateway is with its owner.
    pub fn handed_over(&mut self, id: SessionId, now: Moment, out: &mut Vec<Directive>) {
        if !self.departures.arrived(id, now + self.policy.follow_window) {
            return;
        }
        let first = out.len();
        if self.owns(id.slot()) {
            self.arrivals.arrived_elsewhere(id, out);
        } else {
            self.arrivals.released(&self.me, &[id], out);
        }
        self.disclaim(now, &mut out[first..]);
        out.push(Directive::Released { session: id });
    }

    /// Its owner does not take it (yet): it is here again.
    pub fn hand_over_failed(
        &mut self,
        state: SessionState,
        resumable_for: Duration,
        now: Moment,
        out: &mut Vec<Directive>,
    ) {
        let (id, user) = (state.id, state.user.clone());
        // Without a transit it was not heard of for too long, since this worker was stopped: the state is all that is left of it
        // all the same.
        if self.departures.finish(id).is_none() && self.table.place(id).is_some() {
            return;
        }
        if self.arrivals.is_expected(id) {
            // It was taken after all: whoever has it has said so.
            self.arrivals.released(&self.me, &[id], out);
            out.push(Directive::Released { session: id });
            return;
        }
        let place = Place::Suspended(now + resumable_for);
        if self.table.restore(state, place, self.recent_until(now), out).is_err() {
            out.push(Directive::Released { session: id });
            return;
        }
        if self.table.place(id).is_none() {
            out.push(Directive::Released { session: id });
        } else if !self.owns(id.slot()) {
            self.table.set_foreign(id);
            self.departures.due_again(id);
        }
        self.hand_out(id, &user, out);
    }

    /// What this worker holds of another's users: sessions that are here, and those on the way.
    pub fn held_for(&self, owner: &MemberId) -> Vec<HeldSession> {
        let theirs = |id: SessionId| self.ring.owner_of_slot(id.slot()) == Some(owner);
        self.held(theirs)
    }

    /// Everything that this worker holds, for those who act by a ring that it does not know. It gives all that away.
    pub fn held_at_all(&mut self) -> Vec<HeldSession> {
        self.table.mark_foreign(|_| true);
        self.held(|_| true)
    }

    /// For how long it still waits for users of workers that have died, or may have died, who may be another's by now.
    pub fn orphans_for(&self, now: Moment) -> Duration {
        if self.arrivals.awaits_departed() {
            return self.policy.orphan_window;
        }
        self.arrivals.orphaned_until().map_or(Duration::ZERO, |until| until.since(now))
    }

    /// Another worker has named sessions that it holds. A copy here is outdated if the session has gone on there: this worker was
    /// given up meanwhile.
    pub fn holding(&mut self, holder: &MemberId, sessions: &[HeldSession], out: &mut Vec<Directive>) {
        // Also one that still seems to have its gateway: the link may have broken without this worker's having noticed.
        for held in sessions {
            self.close_outdated(held.id, |term| term < held.term, out);
        }
        let (table, sessions) = (&self.table, sessions.iter().copied());
        self.arrivals.named(holder, sessions, |id| table.place(id).is_some());
    }

    /// Another worker has named all sessions that it holds. For so long it waits itself for users of workers that have died.
    pub fn heard(&mut self, holder: &MemberId, orphans_for: Duration, now: Moment, out: &mut Vec<Directive>) {
        if orphans_for > Duration::ZERO && self.policy.protections.hearsay {
            let orphans_for = orphans_for.min(self.policy.orphan_window);
            self.arrivals.gained_may_be_orphans(now + orphans_for);
        }
        let first = out.len();
        let table = &self.table;
        let named_by_nobody = self.arrivals.heard(holder, |id| table.place(id).is_some(), out);
        self.hand_out_to(named_by_nobody, out);
        self.disclaim(now, &mut out[first..]);
    }

    /// Sessions are not to be expected from another worker any more.
    pub fn released(
        &mut self,
        holder: &MemberId,
        sessions: &[SessionId],
        now: Moment,
        out: &mut Vec<Directive>,
    ) {
        let first = out.len();
        self.arrivals.released(holder, sessions, out);
        self.disclaim(now, &mut out[first..]);
    }

    /// Another worker cannot be asked any more what it holds.
    pub fn lost(&mut self, holder: &MemberId, now: Moment) {
        self.arrivals.lost(holder, now + self.policy.orphan_window);
    }

    /// A worker runs again that has died: by this ring its former life may have held sessions of our users. Their gateways
    /// open them again, soon. It may have been this worker itself.
    pub fn reborn(&mut self, holder: &MemberId, ring: Arc<Ring>, now: Moment) {
        self.arrivals.reborn(holder, ring, now + self.policy.orphan_window);
    }

    /// Takes out a session that has no gateway, for one who waits for it, if this worker may not act any more. For how long it
    /// may still be resumed comes with it.
    pub fn surrender(
        &mut self,
        id: SessionId,
        now: Moment,
        out: &mut Vec<Directive>,
    ) -> Option<(SessionState, Duration)> {
        let Some(Place::Suspended(until)) = self.table.place(id).filter(|_| self.is_lapsed(now)) else {
            return None;
        };
        let state = self.table.take_out(id, out)?;
        out.push(Directive::Released { session: id });
        Some((state, until.since(now)))
    }

    fn held(&self, theirs: impl Fn(SessionId) -> bool) -> Vec<HeldSession> {
        let on_the_way =
            self.departures.in_transit().map(|(id, transit)| (id, transit.user_hash, transit.term));
        let all = self.table.terms().chain(on_the_way).filter(|(id, ..)| theirs(*id));
        all.map(|(id, user_hash, term)| HeldSession { id, user_hash, term }).collect()
    }

    /// Takes a session without a gateway out.
    fn let_go(&mut self, id: SessionId, now: Moment, out: &mut Vec<Directive>) -> Option<SessionState> {
        let state = self.table.take_out(id, out)?;
        self.leave_behind(&state, None, now);
        Some(state)
    }

    fn leave_behind(&mut self, state: &SessionState, address: Option<Address>, now: Moment) {
        let transit = Transit {
            user_hash: user_hash(&state.user),
            term: state.term,
            groups: state.groups.clone(),
            address,
            has_arrived: false,
            ended: self.table.tells_ends().then(|| Box::new(EndedSession::on_the_way(state))),
            until: now + self.policy.transit_max,
        };
        self.departures.left(state.id, transit);
    }

    pub(super) fn finish_transit(&mut self, id: SessionId, out: &mut Vec<Directive>) {
        if self.departures.finish(id).is_none() {
            return;
        }
        self.arrivals.released(&self.me, &[id], out);
        out.push(Directive::Released { session: id });
    }

    /// A session that belongs elsewhere has lost its gateway: it goes by itself.
    pub(super) fn go_without_gateway(&mut self, id: SessionId) {
        if !self.owns(id.slot()) {
            self.departures.due_again(id);
        }
    }
}

/// How a session leaves, if it is here.
fn way_of(table: &SessionTable, id: SessionId) -> Option<Way> {
    table.place(id).map(|place| place.address().map(|address| address.link))
}
