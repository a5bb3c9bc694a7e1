//! Sessions that are to arrive from other workers, and the messages that wait for them.
//!
//! After a change of the ring a worker asks every other worker what it holds of the new owner's users. Until all have
//! answered, nothing is decided for users that the worker has just gained. After that it knows every session that is to
//! arrive, and keeps messages for it in order. So the answer of a send stays authoritative in the middle of a change.

use std::collections::BTreeSet;
use std::sync::Arc;

use ringway_ring::{MemberId, Ring, Slot};
use rustc_hash::FxHashMap;

use crate::directive::{Directive, Fate, Ticket};
use crate::id::SessionId;
use crate::message::Message;
use crate::moment::Moment;

/// How many rings are remembered that passed before all had said what they hold. A ring is half a megabyte.
const UNSETTLED_MAX: usize = 8;

/// A session that another worker holds for this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSession {
    /// The session's id.
    pub id: SessionId,
    /// The hash of its user.
    pub user_hash: u64,
}

/// A message that waits for a session.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) ticket: Ticket,
    pub(super) message: Message,
    pub(super) audience: Audience,
}

/// To whom a kept message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// To one user: nobody else has it.
    User,
    /// To a group or to all: another worker may have given it to the session.
    Many,
}

/// What there is to be expected.
#[derive(Debug)]
pub(super) struct Arrivals {
    me: MemberId,
    /// A ring without members.
    empty: Arc<Ring>,
    ring: Arc<Ring>,
    /// The last ring of which all others have said what they hold.
    settled: Arc<Ring>,
    /// The rings between that one and the present one.
    unsettled: Vec<Arc<Ring>>,
    /// Those who have not said yet what they hold, by the present ring.
    unheard: BTreeSet<MemberId>,
    expected: FxHashMap<SessionId, Expected>,
    by_user: FxHashMap<u64, Vec<SessionId>>,
    orphanages: Vec<Orphanage>,
    /// Messages for users of whom a session may appear.
    orphans: FxHashMap<u64, Vec<Kept>>,
    kept_bytes_max: u64,
    next_ticket: u64,
}

#[derive(Debug)]
struct Expected {
    /// Who has named it: while it is on its way between two of them, both do.
    holders: Vec<Holder>,
    user_hash: u64,
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
    fn is_from(&self, holder: &MemberId) -> bool {
        self.holders.iter().any(|known| known.id == *holder)
    }

    /// Whether nobody is left from whom it can come.
    fn forget(&mut self, holder: &MemberId) -> bool {
        self.holders.retain(|known| known.id != *holder);
        self.holders.is_empty()
    }
}

/// The users of a worker that died without saying what it held. Their gateways open the sessions again, soon.
#[derive(Debug)]
struct Orphanage {
    ring: Arc<Ring>,
    holder: MemberId,
    until: Moment,
}

impl Arrivals {
    /// Nothing is expected, and nobody was asked: under an empty ring that is as it should be.
    pub(super) fn new(me: MemberId, empty: Arc<Ring>, kept_bytes_max: u64) -> Self {
        Arrivals {
            me,
            ring: Arc::clone(&empty),
            settled: Arc::clone(&empty),
            empty,
            unsettled: Vec::new(),
            unheard: BTreeSet::new(),
            expected: FxHashMap::default(),
            by_user: FxHashMap::default(),
            orphanages: Vec::new(),
            orphans: FxHashMap::default(),
            kept_bytes_max,
            next_ticket: 0,
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
        let former = std::mem::replace(&mut self.ring, ring);
        if !self.unheard.is_empty() {
            self.pass_unsettled(former);
        }
        let mut others: BTreeSet<MemberId> = others.into_iter().collect();
        others.remove(&self.me);
        let holders = self.expected.values().flat_map(|expected| &expected.holders).map(|holder| &holder.id);
        let known: BTreeSet<&MemberId> =
            holders.chain(&self.unheard).filter(|known| **known != self.me).collect();
        let gone: Vec<MemberId> =
            known.into_iter().filter(|known| !others.contains(*known)).cloned().collect();
        gone.iter().for_each(|holder| self.forsake(holder, until));
        self.unheard = others;
        let elsewhere: Vec<SessionId> =
            self.expected.keys().copied().filter(|id| !self.owns(id.slot())).collect();
        for id in elsewhere {
            self.release(id, Fate::Elsewhere, out);
        }
        for holder in self.expected.values_mut().flat_map(|expected| &mut expected.holders) {
            holder.listed = false;
        }
        let (me, ring) = (&self.me, &self.ring);
        let gone = self.orphans.extract_if(|hash, _| ring.owner_of_slot(Slot::of_hash(*hash)) != Some(me));
        settle_all(gone.flat_map(|(_, kept)| kept), Fate::Elsewhere, out);
        self.note_settled();
    }

    /// Others may have acted for our users meanwhile: nothing is known for sure until they have been asked once more.
    pub(super) fn unsettle(&mut self) {
        let others = self.ring.active_members().iter().map(|member| &member.id);
        self.unheard.extend(others.filter(|id| **id != self.me).cloned());
        self.settled = Arc::clone(&self.empty);
        self.unsettled.clear();
        self.note_settled();
    }

    /// Whether everything is known of this slot's users: no other worker can hold a session that is not expected.
    pub(super) fn is_settled(&self, slot: Slot) -> bool {
        let is_ours = |ring: &Arc<Ring>| ring.owner_of_slot(slot) == Some(&self.me);
        self.unheard.is_empty() || (is_ours(&self.settled) && self.unsettled.iter().all(is_ours))
    }

    /// Those who have not said what they hold.
    pub(super) fn unheard(&self) -> impl Iterator<Item = &MemberId> {
        self.unheard.iter()
    }

    /// Another worker has named sessions. Those that are `here` already have arrived.
    pub(super) fn named(
        &mut self,
        holder: &MemberId,
        sessions: impl IntoIterator<Item = HeldSession>,
        here: impl Fn(SessionId) -> bool,
    ) {
        for HeldSession { id, user_hash } in sessions {
            if self.owns(id.slot()) && !here(id) {
                self.expect(id, user_hash, holder, None);
            }
        }
    }

    /// Another worker has named all.
    pub(super) fn heard(&mut self, holder: &MemberId, out: &mut Vec<Directive>) {
        self.unheard.remove(holder);
        let is_unlisted =
            |expected: &Expected| expected.holders.iter().any(|known| known.id == *holder && !known.listed);
        let unlisted = self.expected.iter().filter(|(_, expected)| is_unlisted(expected));
        let unlisted: Vec<SessionId> = unlisted.map(|(id, _)| *id).collect();
        self.released(holder, &unlisted, out);
        self.note_settled();
    }

    /// Sessions are not to be expected from this holder any more.
    pub(super) fn released(&mut self, holder: &MemberId, sessions: &[SessionId], out: &mut Vec<Directive>) {
        for id in sessions {
            let expected = self.expected.get_mut(id).filter(|expected| expected.is_from(holder));
            // As long as somebody has not been heard, the session may have gone there.
            if expected.is_some_and(|expected| expected.forget(holder)) && self.unheard.is_empty() {
                self.release(*id, Fate::Ended, out);
            }
        }
    }

    /// A worker cannot be asked any more. What it held is opened again by the gateways, or not at all: it is waited for
    /// until that moment.
    pub(super) fn lost(&mut self, holder: &MemberId, until: Moment) {
        self.forsake(holder, until);
        self.note_settled();
    }

    fn forsake(&mut self, holder: &MemberId, until: Moment) {
        if self.unheard.remove(holder) {
            let (ring, holder) = (Arc::clone(&self.settled), holder.clone());
            self.orphanages.push(Orphanage { ring, holder, until });
        }
        let holders = self.expected.values_mut().flat_map(|expected| &mut expected.holders);
        for known in holders.filter(|known| known.id == *holder) {
            known.until.get_or_insert(until);
        }
    }

    /// A session is expected, from now on until its holder says otherwise, or until that moment.
    pub(super) fn expect(&mut self, id: SessionId, user_hash: u64, holder: &MemberId, until: Option<Moment>) {
        let expected = self.expected.entry(id).or_insert_with(|| {
            self.by_user.entry(user_hash).or_default().push(id);
            Expected {
                holders: Vec::with_capacity(1),
                user_hash,
                hastened: false,
                kept: Vec::new(),
                kept_bytes: 0,
            }
        });
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
            let me = self.me.clone();
            self.expect(id, 0, &me, Some(until));
        }
    }

    /// Whether nothing at all is expected.
    pub(super) fn is_quiet(&self) -> bool {
        self.expected.is_empty() && self.orphanages.is_empty()
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

    /// Keeps a message for an expected session; nothing if it has no room for it.
    pub(super) fn keep(&mut self, id: SessionId, message: &Message, audience: Audience) -> Option<Ticket> {
        let expected = self.expected.get_mut(&id)?;
        let cost_bytes = message.payload().cost_bytes();
        if expected.kept_bytes > 0 && expected.kept_bytes + cost_bytes > self.kept_bytes_max {
            return None;
        }
        let ticket = next(&mut self.next_ticket);
        expected.kept_bytes += cost_bytes;
        expected.kept.push(Kept { ticket, message: message.clone(), audience });
        Some(ticket)
    }

    /// Asks for an expected session to come before the others, once.
    pub(super) fn hasten(&mut self, session: SessionId, out: &mut Vec<Directive>) {
        let Some(expected) = self.expected.get_mut(&session) else { return };
        if !std::mem::replace(&mut expected.hastened, true) {
            let others =
                expected.holders.iter().map(|holder| &holder.id).filter(|holder| **holder != self.me);
            out.extend(others.map(|holder| Directive::Hasten { holder: holder.clone(), session }));
        }
    }

    /// Keeps a message for a user of whom nothing is known, since the worker that held the sessions is lost.
    pub(super) fn keep_for_orphan(
        &mut self,
        user_hash: u64,
        message: &Message,
        now: Moment,
    ) -> Option<Ticket> {
        let slot = Slot::of_hash(user_hash);
        let is_orphaned =
            |home: &Orphanage| now < home.until && home.ring.owner_of_slot(slot) == Some(&home.holder);
        if !self.orphanages.iter().any(is_orphaned) {
            return None;
        }
        let ticket = next(&mut self.next_ticket);
        let kept = Kept { ticket, message: message.clone(), audience: Audience::User };
        self.orphans.entry(user_hash).or_default().push(kept);
        Some(ticket)
    }

    /// A session arrives without what it knew: messages to many that were kept for it may have been given to it where it was,
    /// and are not given again.
    pub(super) fn drop_ambiguous(&mut self, id: SessionId, out: &mut Vec<Directive>) {
        if let Some(expected) = self.expected.get_mut(&id) {
            let ambiguous = expected.kept.extract_if(.., |kept| kept.audience == Audience::Many);
            settle_all(ambiguous, Fate::Ended, out);
        }
    }

    /// A session has arrived, or one of its user's has: what was kept for it, in order.
    pub(super) fn arrived(&mut self, id: SessionId, user_hash: u64) -> Vec<Kept> {
        let mut kept = self.take_out(id).map(|expected| expected.kept).unwrap_or_default();
        kept.extend(self.orphans.remove(&user_hash).unwrap_or_default());
        kept
    }

    /// Nobody waits for this message any more: it is not given to anybody.
    pub(super) fn withdraw(&mut self, ticket: Ticket) {
        for expected in self.expected.values_mut() {
            expected.kept.retain(|kept| kept.ticket != ticket);
            expected.kept_bytes = expected.kept.iter().map(|kept| kept.message.payload().cost_bytes()).sum();
        }
        self.orphans.retain(|_, kept| {
            kept.retain(|kept| kept.ticket != ticket);
            !kept.is_empty()
        });
    }

    /// Ends what has lasted too long.
    pub(super) fn expire(&mut self, now: Moment, out: &mut Vec<Directive>) {
        let mut late = Vec::new();
        for (id, expected) in &mut self.expected {
            expected.holders.retain(|holder| holder.until.is_none_or(|until| now < until));
            if expected.holders.is_empty() && self.unheard.is_empty() {
                late.push(*id);
            }
        }
        for id in late {
            self.release(id, Fate::Ended, out);
        }
        self.orphanages.retain(|home| now < home.until);
        if self.orphanages.is_empty() {
            settle_all(self.orphans.drain().flat_map(|(_, kept)| kept), Fate::Ended, out);
        }
    }

    /// How many sessions are expected.
    pub(super) fn len(&self) -> usize {
        self.expected.len()
    }

    /// A session does not come.
    pub(super) fn release(&mut self, id: SessionId, fate: Fate, out: &mut Vec<Directive>) {
        let kept = self.take_out(id).map(|expected| expected.kept).unwrap_or_default();
        settle_all(kept, fate, out);
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

    fn owns(&self, slot: Slot) -> bool {
        self.ring.owner_of_slot(slot) == Some(&self.me)
    }

    fn note_settled(&mut self) {
        if self.unheard.is_empty() {
            self.settled = Arc::clone(&self.ring);
            self.unsettled.clear();
        }
    }

    /// A ring has passed before all had said what they hold: whoever owned a slot by it may have sessions of its users.
    fn pass_unsettled(&mut self, ring: Arc<Ring>) {
        if self.unsettled.len() == UNSETTLED_MAX {
            // Nothing is known for sure any more.
            self.settled = Arc::clone(&self.empty);
            self.unsettled.clear();
        } else if self.unsettled.last().is_none_or(|last| last.version() != ring.version()) {
            self.unsettled.push(ring);
        }
    }
}

fn next(ticket: &mut u64) -> Ticket {
    *ticket += 1;
    Ticket(*ticket)
}

fn settle_all(kept: impl IntoIterator<Item = Kept>, fate: Fate, out: &mut Vec<Directive>) {
    out.extend(kept.into_iter().map(|kept| Directive::Settled { ticket: kept.ticket, fate }));
}
