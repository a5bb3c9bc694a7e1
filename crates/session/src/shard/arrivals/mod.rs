//! Sessions that are to arrive from other workers, and the messages that wait for them.
//!
//! After a change of the ring a worker asks every other worker what it holds of the new owner's users. Until all have
//! answered, nothing is decided for users that the worker has just gained. After that it knows every session that is to
//! arrive, and keeps messages for it in order. So the answer of a send stays authoritative in the middle of a change.

mod kept;
mod orphans;
mod settling;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ringway_ring::{MemberId, Ring, Slot};
use rustc_hash::FxHashMap;

pub(super) use self::kept::{Audience, Kept};
use self::kept::{Keeper, cost_bytes, cost_of};
use self::orphans::{Orphans, Until};
use self::settling::Settling;
use crate::directive::{Directive, Fate, Ticket, Whose};
use crate::id::SessionId;
use crate::message::Message;
use crate::moment::Moment;
use crate::name::UserId;

/// A session that another worker holds for this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSession {
    /// The session's id.
    pub id: SessionId,
    /// The hash of its user.
    pub user_hash: u64,
    /// Its term, where it is.
    pub term: u64,
}

/// How much may be kept, and for how long there are doubts.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptBounds {
    /// For one session.
    pub(super) session_bytes_max: u64,
    /// For all.
    pub(super) bytes_max: u64,
    /// For how much longer orphans are in doubt.
    pub(super) doubted_longer: Duration,
}

/// Why a message for an orphan is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotKept {
    /// Nobody of the user can appear.
    NoOrphan,
    /// Too much is kept already.
    Full,
}

/// What there is to be expected.
#[derive(Debug)]
pub(super) struct Arrivals {
    settling: Settling,
    expected: FxHashMap<SessionId, Expected>,
    by_user: FxHashMap<u64, Vec<SessionId>>,
    orphans: Orphans,
    /// Until when sessions may be on their way to others that were expected here, from workers that only this one knew of.
    passed_on_until: Option<Moment>,
    keeper: Keeper,
    session_bytes_max: u64,
    /// For how much longer than their messages are kept orphans are in doubt.
    doubted_longer: Duration,
}

#[derive(Debug)]
struct Expected {
    /// Who has named it: while it is on its way between two of them, both do.
    holders: Vec<Holder>,
    user_hash: u64,
    /// Nobody who holds it has named it: it is said to be on its way by somebody who has let it go.
    is_unnamed: bool,
    /// It left from here, and is with somebody who has named it, or will.
    has_arrived_elsewhere: bool,
    hastened: bool,
    kept: Vec<Kept>,
    kept_bytes: u64,
}

#[derive(Debug)]
struct Holder {
    id: MemberId,
    /// Whether it has named the session for the present ring.
    listed: bool,
    /// From when on the session is not expected from it any more, since it cannot be asked.
    until: Option<Moment>,
}

impl Expected {
    fn new(user_hash: u64) -> Self {
        Expected {
            holders: Vec::with_capacity(1),
            user_hash,
            is_unnamed: false,
            has_arrived_elsewhere: false,
            hastened: false,
            kept: Vec::new(),
            kept_bytes: 0,
        }
    }

    /// Takes messages out that were kept.
    fn take(&mut self, is_meant: impl Fn(&Kept) -> bool) -> Vec<Kept> {
        let taken: Vec<Kept> = self.kept.extract_if(.., |kept| is_meant(kept)).collect();
        self.kept_bytes -= cost_bytes(&taken);
        taken
    }

    fn is_from(&self, holder: &MemberId) -> bool {
        self.holders.iter().any(|known| known.id == *holder)
    }

    /// Whether nobody is left from whom it can come.
    fn forget(&mut self, holder: &MemberId) -> bool {
        self.holders.retain(|known| known.id != *holder);
        self.holders.is_empty()
    }
}

impl Arrivals {
    /// Nothing is expected.
    pub(super) fn new(me: MemberId, empty: Arc<Ring>, bounds: KeptBounds) -> Self {
        Arrivals {
            settling: Settling::new(me, empty),
            expected: FxHashMap::default(),
            by_user: FxHashMap::default(),
            orphans: Orphans::default(),
            passed_on_until: None,
            keeper: Keeper::new(bounds.bytes_max),
            session_bytes_max: bounds.session_bytes_max,
            doubted_longer: bounds.doubted_longer,
        }
    }

    /// A new ring: all `others` are to be asked again. What goes elsewhere by now is not expected any more, and whoever had still
    /// something to say and is not among the others is lost; what it held is waited for until that moment.
    pub(super) fn ring_changed(
        &mut self,
        ring: Arc<Ring>,
        others: impl IntoIterator<Item = MemberId>,
        until: Moment,
        out: &mut Vec<Directive>,
    ) {
        let mut others: BTreeSet<MemberId> = others.into_iter().collect();
        others.remove(self.settling.me());
        self.forsake_all_but(&others, until);
        if self.settling.ring_changed(ring, others) {
            self.gained_may_be_orphans(until);
        }
        self.release_elsewhere(until, out);
        for holder in self.expected.values_mut().flat_map(|expected| &mut expected.holders) {
            holder.listed = false;
        }
        self.settling.note();
    }

    /// Others may have acted for our users meanwhile: nothing is known for sure until they have been asked once more.
    pub(super) fn unsettle(&mut self) {
        self.settling.unsettle();
    }

    /// Whether everything is known of this slot's users: no other worker can hold a session that is not expected.
    pub(super) fn is_settled(&self, slot: Slot) -> bool {
        self.settling.is_settled(slot)
    }

    /// Those who have not said what they hold.
    pub(super) fn unheard(&self) -> impl Iterator<Item = &MemberId> {
        self.settling.unheard()
    }

    /// Another worker has named sessions. Those that are `here` already have arrived.
    pub(super) fn named(
        &mut self,
        holder: &MemberId,
        sessions: impl IntoIterator<Item = HeldSession>,
        here: impl Fn(SessionId) -> bool,
    ) {
        for HeldSession { id, user_hash, .. } in sessions {
            if self.settling.owns(id.slot()) && !here(id) {
                self.expect(id, user_hash, holder, None);
            }
        }
    }

    /// Another worker has named all. What it does not name any more is not expected, but for what a former life of it held. Gives
    /// back those that nobody has named since they are `here`: what was kept for them is theirs.
    pub(super) fn heard(
        &mut self,
        holder: &MemberId,
        here: impl Fn(SessionId) -> bool,
        out: &mut Vec<Directive>,
    ) -> Vec<SessionId> {
        self.settling.strike(holder);
        let is_unlisted = |expected: &Expected| {
            let mut holders = expected.holders.iter();
            holders.any(|known| known.id == *holder && !known.listed && known.until.is_none())
        };
        let unlisted = self.expected.iter().filter(|(_, expected)| is_unlisted(expected));
        let unlisted: Vec<SessionId> = unlisted.map(|(id, _)| *id).collect();
        self.released(holder, &unlisted, out);
        self.settling.note();
        self.give_up_unnamed(here, out)
    }

    /// When all have been heard, a session of ours that nobody has named is here, or has ended where it had arrived, unless somebody
    /// has died who may have had it. Of those that are another's by the present ring nobody was asked.
    fn give_up_unnamed(
        &mut self,
        here: impl Fn(SessionId) -> bool,
        out: &mut Vec<Directive>,
    ) -> Vec<SessionId> {
        if !self.settling.is_over() {
            return Vec::new();
        }
        let is_doubtful = |expected: &Expected| expected.is_unnamed || expected.has_arrived_elsewhere;
        let doubtful = self.expected.iter().filter(|(_, expected)| is_doubtful(expected)).map(|(id, _)| *id);
        let certain: Vec<SessionId> = doubtful.filter(|id| self.is_certain_of(*id)).collect();
        let (here, elsewhere) = certain.into_iter().partition::<Vec<_>, _>(|id| here(*id));
        let me = self.settling.me().clone();
        for id in elsewhere {
            let expected = self.expected.get_mut(&id);
            if expected.is_some_and(|expected| expected.is_unnamed || expected.forget(&me)) {
                self.give_up(id, out);
            }
        }
        here
    }

    /// A session that left from here has arrived elsewhere, by another ring than the present one, by which it is to come back:
    /// whoever has it has named it, or will.
    pub(super) fn arrived_elsewhere(&mut self, id: SessionId, out: &mut Vec<Directive>) {
        if self.is_certain_of(id) {
            let me = self.settling.me().clone();
            self.released(&me, &[id], out);
        } else if let Some(expected) = self.expected.get_mut(&id) {
            expected.has_arrived_elsewhere = true;
        }
    }

    /// Whether everybody who may have a session has been asked.
    fn is_certain_of(&self, id: SessionId) -> bool {
        self.settling.is_over() && self.settling.owns(id.slot()) && !self.orphans.may_be_of(id.slot())
    }

    /// Sessions are not to be expected from this holder any more.
    pub(super) fn released(&mut self, holder: &MemberId, sessions: &[SessionId], out: &mut Vec<Directive>) {
        for id in sessions {
            let expected = self.expected.get_mut(id).filter(|expected| expected.is_from(holder));
            // As long as somebody has not been heard, the session may have gone there.
            if expected.is_some_and(|expected| expected.forget(holder)) && self.settling.is_over() {
                self.give_up(*id, out);
            }
        }
    }

    /// A worker cannot be asked any more. What it held is opened again by the gateways, or not at all: it is waited for
    /// until that moment.
    pub(super) fn lost(&mut self, holder: &MemberId, until: Moment) {
        if self.settling.strike(holder) {
            self.gained_may_be_orphans(until);
        }
        self.expect_only_until(|known| known == holder, until);
        self.settling.note();
    }

    /// A worker has died and runs again: its former life cannot be asked what it held by this ring. Its new one may be.
    pub(super) fn reborn(&mut self, holder: &MemberId, ring: Arc<Ring>, until: Moment) {
        self.orphans.add(ring, holder.clone(), self.until(until));
        self.expect_only_until(|known| known == holder, until);
    }

    /// These have left, and may be dead.
    pub(super) fn departed(&mut self, holders: BTreeSet<MemberId>) {
        self.settling.departed(holders);
    }

    /// A worker may have died without saying what it held. Some of its users may be among those whom we have gained since all had
    /// said that.
    pub(super) fn gained_may_be_orphans(&mut self, until: Moment) {
        let until = self.until(until);
        for ring in self.settling.since_settled() {
            self.orphans.add_gained(ring, self.settling.me(), until);
        }
    }

    /// Whether sessions of a user may still come whose worker has died, so that nobody may call the user offline.
    pub(super) fn doubts(&self, user_hash: u64, now: Moment) -> bool {
        self.orphans.doubts(user_hash, now)
    }

    fn until(&self, kept: Moment) -> Until {
        Until { kept, doubted: kept + self.doubted_longer }
    }

    /// Until when users of workers that have died, or have left, are waited for, here or where they belong by now; none if there
    /// are none.
    pub(super) fn orphaned_until(&self) -> Option<Moment> {
        self.orphans.until().max(self.passed_on_until)
    }

    /// Whether a worker that has left has not said what it holds.
    pub(super) fn awaits_departed(&self) -> bool {
        self.settling.awaits_departed()
    }

    /// A session is expected, from now on until its holder says otherwise, or until that moment.
    pub(super) fn expect(&mut self, id: SessionId, user_hash: u64, holder: &MemberId, until: Option<Moment>) {
        let expected = self.expected.entry(id).or_insert_with(|| {
            self.by_user.entry(user_hash).or_default().push(id);
            Expected::new(user_hash)
        });
        if std::mem::take(&mut expected.is_unnamed) {
            expected.holders.clear();
        }
        if holder == self.settling.me() {
            expected.has_arrived_elsewhere = false;
        }
        match expected.holders.iter_mut().find(|known| known.id == *holder) {
            Some(known) => (known.listed, known.until) = (true, until),
            None => {
                expected.holders.push(Holder { id: holder.clone(), listed: true, until });
                expected.hastened = false;
            }
        }
        let former = std::mem::replace(&mut expected.user_hash, user_hash);
        if former != user_hash {
            self.forget_user(former, id);
            self.by_user.entry(user_hash).or_default().push(id);
        }
    }

    /// A session is on its way here, as a worker says that has sent it, and may not have been named yet.
    pub(super) fn expect_unnamed(&mut self, id: SessionId, until: Moment) {
        if !self.expected.contains_key(&id) {
            // Its user is not known: no message for the user can wait for it, only those for the session itself.
            let me = self.settling.me().clone();
            self.expect(id, 0, &me, Some(until));
            if let Some(expected) = self.expected.get_mut(&id) {
                expected.is_unnamed = true;
            }
        }
    }

    /// Whether nothing at all is expected.
    pub(super) fn is_quiet(&self) -> bool {
        self.expected.is_empty() && self.orphans.is_empty()
    }

    /// Whether a session is expected from a worker that can be asked.
    pub(super) fn is_expected(&self, id: SessionId) -> bool {
        let can_come = |expected: &Expected| expected.holders.iter().any(|holder| holder.until.is_none());
        self.expected.get(&id).is_some_and(can_come)
    }

    /// Whether a session is expected from whomever.
    pub(super) fn knows(&self, id: SessionId) -> bool {
        self.expected.contains_key(&id)
    }

    /// The sessions of a user that are expected.
    pub(super) fn of_user(&self, user_hash: u64) -> Vec<SessionId> {
        self.by_user.get(&user_hash).cloned().unwrap_or_default()
    }

    /// Keeps a message for an expected session; nothing if there is no room for it.
    pub(super) fn keep(&mut self, id: SessionId, message: &Message, audience: Audience) -> Option<Ticket> {
        let expected = self.expected.get_mut(&id)?;
        let bytes = expected.kept_bytes + cost_of(message, &audience);
        if expected.kept_bytes > 0 && bytes > self.session_bytes_max {
            return None;
        }
        let kept = self.keeper.keep(Whose::Session(id), message, audience)?;
        let ticket = kept.ticket;
        expected.kept_bytes = bytes;
        expected.kept.push(kept);
        Some(ticket)
    }

    /// Asks for an expected session to come before the others, once.
    pub(super) fn hasten(&mut self, session: SessionId, out: &mut Vec<Directive>) {
        let Some(expected) = self.expected.get_mut(&session) else { return };
        if !std::mem::replace(&mut expected.hastened, true) {
            let holders = expected.holders.iter().map(|holder| &holder.id);
            let others = holders.filter(|holder| *holder != self.settling.me());
            out.extend(others.map(|holder| Directive::Hasten { holder: holder.clone(), session }));
        }
    }

    /// Keeps a message for a user of whom nothing is known, since the worker that held the sessions is lost.
    pub(super) fn keep_for_orphan(
        &mut self,
        user_hash: u64,
        message: &Message,
        audience: Audience,
        now: Moment,
    ) -> Result<Ticket, NotKept> {
        if !self.orphans.has(user_hash, now) {
            return Err(NotKept::NoOrphan);
        }
        let kept = self.keeper.keep(Whose::Orphan(user_hash), message, audience);
        let kept = kept.ok_or(NotKept::Full)?;
        let ticket = kept.ticket;
        self.orphans.keep(user_hash, kept);
        Ok(ticket)
    }

    /// A session arrives without what it knew: messages to many that were kept for it may have been given to it where it was,
    /// and are not given again.
    pub(super) fn drop_ambiguous(&mut self, id: SessionId, out: &mut Vec<Directive>) {
        if let Some(expected) = self.expected.get_mut(&id) {
            let ambiguous = expected.take(|kept| kept.audience == Audience::Many);
            self.keeper.settle(&ambiguous, Fate::Ended, out);
        }
    }

    /// A session has arrived, or one of its user's has: what was kept for it, in order.
    pub(super) fn arrived(
        &mut self,
        id: SessionId,
        user: &UserId,
        user_hash: u64,
        out: &mut Vec<Directive>,
    ) -> Vec<Kept> {
        let kept = self.take_out(id).map(|expected| expected.kept).unwrap_or_default();
        let (mut kept, others) = kept.into_iter().partition::<Vec<_>, _>(|kept| kept.is_for(user, id));
        self.keeper.settle(&others, Fate::Ended, out);
        kept.extend(self.orphans.take(user_hash, user, id));
        self.keeper.release(&kept);
        kept
    }

    /// Nobody waits for this message any more: it is not given to anybody.
    pub(super) fn withdraw(&mut self, ticket: Ticket) {
        let withdrawn = match ticket.whose {
            Whose::Orphan(user_hash) => self.orphans.withdraw(user_hash, ticket),
            Whose::Session(id) => {
                let expected = self.expected.get_mut(&id);
                let kept = expected.map(|expected| expected.take(|kept| kept.ticket == ticket));
                kept.filter(|kept| !kept.is_empty())
                    .unwrap_or_else(|| self.orphans.withdraw_of_session(ticket))
            }
        };
        self.keeper.release(&withdrawn);
    }

    /// Ends what has lasted too long. Gives back those that nobody has named since they are `here`.
    pub(super) fn expire(
        &mut self,
        now: Moment,
        here: impl Fn(SessionId) -> bool,
        out: &mut Vec<Directive>,
    ) -> Vec<SessionId> {
        let mut late = Vec::new();
        for (id, expected) in &mut self.expected {
            expected.holders.retain(|holder| holder.until.is_none_or(|until| now < until));
            if expected.holders.is_empty() && self.settling.is_over() {
                late.push(*id);
            }
        }
        for id in late {
            self.give_up(id, out);
        }
        let in_vain = self.orphans.expire(now);
        self.keeper.settle(&in_vain, Fate::Ended, out);
        self.give_up_unnamed(here, out)
    }

    /// How many sessions are expected.
    pub(super) fn len(&self) -> usize {
        self.expected.len()
    }

    /// A session does not come.
    pub(super) fn release(&mut self, id: SessionId, fate: Fate, out: &mut Vec<Directive>) {
        let kept = self.take_out(id).map(|expected| expected.kept).unwrap_or_default();
        self.keeper.settle(&kept, fate, out);
    }

    /// A session does not come from those who had named it. If one of its user may come from elsewhere, what was kept for the user
    /// waits for that one.
    fn give_up(&mut self, id: SessionId, out: &mut Vec<Directive>) {
        let Some(Expected { user_hash, kept, .. }) = self.take_out(id) else { return };
        let may_come = !self.by_user.contains_key(&user_hash) && self.orphans.may_have(user_hash);
        let waits_on = |kept: &Kept| may_come && kept.audience != Audience::Many;
        let (orphaned, over) = kept.into_iter().partition::<Vec<_>, _>(waits_on);
        orphaned.into_iter().for_each(|kept| self.orphans.keep(user_hash, kept));
        self.keeper.settle(&over, Fate::Ended, out);
    }

    /// What goes to another worker by now. Those who have it may be known to nobody there: until then that is told.
    fn release_elsewhere(&mut self, until: Moment, out: &mut Vec<Directive>) {
        let (settling, me) = (&self.settling, self.settling.me());
        let elsewhere = self.expected.iter().filter(|(id, _)| !settling.owns(id.slot()));
        let is_forsaken = |holder: &Holder| holder.until.is_some() && holder.id != *me;
        if elsewhere.clone().any(|(_, expected)| expected.holders.iter().any(is_forsaken)) {
            self.passed_on_until = Some(until);
        }
        let elsewhere: Vec<SessionId> = elsewhere.map(|(id, _)| *id).collect();
        let orphans = self.orphans.leave(|slot| settling.owns(slot));
        for id in elsewhere {
            self.release(id, Fate::Elsewhere, out);
        }
        self.keeper.settle(&orphans, Fate::Elsewhere, out);
    }

    fn forsake_all_but(&mut self, others: &BTreeSet<MemberId>, until: Moment) {
        let me = self.settling.me().clone();
        self.expect_only_until(|known| *known != me && !others.contains(known), until);
    }

    fn expect_only_until(&mut self, is_lost: impl Fn(&MemberId) -> bool, until: Moment) {
        let holders = self.expected.values_mut().flat_map(|expected| &mut expected.holders);
        for known in holders.filter(|known| is_lost(&known.id)) {
            known.until.get_or_insert(until);
        }
    }

    fn take_out(&mut self, id: SessionId) -> Option<Expected> {
        let expected = self.expected.remove(&id)?;
        self.forget_user(expected.user_hash, id);
        Some(expected)
    }

    fn forget_user(&mut self, user_hash: u64, id: SessionId) {
        if let Some(ids) = self.by_user.get_mut(&user_hash) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_user.remove(&user_hash);
            }
        }
    }
}
