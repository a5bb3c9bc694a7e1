//! What must hold at the end of a history. What can be seen at once is checked where it happens, in `ledger` and `client`.

use std::collections::BTreeMap;

use ringway_session::relay::Phase;

use crate::Summary;
use crate::event::{ClientIx, Receipt};
use crate::ledger::{Check, MessageIx, Outcome, Record, Target};
use crate::plan::Nature;
use crate::schedule::Time;
use crate::world::World;

impl World {
    /// The cluster has come to rest, with its clients.
    pub(crate) fn check_rest(&mut self) {
        for client in 0..self.clients.len() {
            if let Some(what) = self.misplaced(client) {
                self.ledger.broken(Check::Place, what);
            }
        }
        self.check_leftovers();
        if self.plan.nature == Nature::Planned {
            self.check_said();
        }
    }

    fn misplaced(&self, client: ClientIx) -> Option<String> {
        let Some(seat) = self.session_of(client) else { return Some(format!("c{client} has no session")) };
        if seat.relay.phase() != Phase::Settled {
            return Some(format!("the session of c{client} is {:?}", seat.relay.phase()));
        }
        let holders: Vec<_> = (0..self.workers.len())
            .filter(|worker| self.workers[*worker].shard.table().session(seat.session).is_some())
            .collect();
        let owner = self.owner_of(client);
        if holders.iter().copied().ne(owner) {
            return Some(format!("the session of c{client} is at {holders:?}, and its owner is {owner:?}"));
        }
        let post = seat.relay.settled_at()?;
        let link = self.workers[owner?].shard.table().session(seat.session)?.link.map(|link| link.0 as usize);
        (link != Some(post.pipe))
            .then(|| format!("the session of c{client} is at {post:?}, and its worker has {link:?}"))
    }

    fn check_leftovers(&mut self) {
        for (number, worker) in self.workers.iter().enumerate() {
            let leftovers = worker.leftovers();
            if !leftovers.is_empty() {
                self.ledger.broken(Check::Leftover, format!("w{number} has {}", leftovers.join(", ")));
                return;
            }
        }
    }

    fn check_said(&mut self) {
        for client in 0..self.clients.len() {
            let session = self.session_of(client).map(|seat| seat.session);
            let said = self.clients[client].said();
            let heard = session.and_then(|session| self.ledger.said.get(&session)).copied().unwrap_or(0);
            if said != heard && self.clients[client].is_heard() {
                self.ledger.broken(
                    Check::Lost,
                    format!("c{client} has sent {said} messages, the last heard is {heard}"),
                );
            }
        }
    }

    /// All clients have left, and nothing is left of them.
    pub(crate) fn check_empty(&mut self) {
        self.check_leftovers();
        for (number, worker) in self.workers.iter().enumerate() {
            let table = worker.shard.table();
            let left = (table.len(), table.users(), table.groups());
            if left != (0, 0, 0) {
                let what =
                    format!("w{number} has {} sessions of {} users in {} groups", left.0, left.1, left.2);
                self.ledger.broken(Check::Leftover, what);
            }
        }
        if !self.calls.is_empty() {
            self.ledger.broken(Check::Leftover, format!("calls without an answer: {:?}", self.calls));
        }
    }

    pub(crate) fn check_messages(&mut self) {
        for message in 0..self.ledger.messages.len() {
            if let Some((check, what)) = self.wrong(message) {
                self.ledger.broken(check, what);
            }
        }
        self.check_order();
    }

    /// What is wrong with a message's receipt.
    fn wrong(&self, message: MessageIx) -> Option<(Check, String)> {
        let record = &self.ledger.messages[message];
        let (at, outcome) = record.answered?;
        let Outcome::Receipt(receipt) = outcome else { return None };
        if self.plan.nature == Nature::Planned {
            return self.wrong_when_planned(message, record, receipt, at);
        }
        let absent = self.wrong_nobody(message, record, receipt, at);
        if let Some(wrong) = absent.or_else(|| self.wrong_group(message, record, receipt, at)) {
            return Some(wrong);
        }
        let Receipt { sessions, suspended, .. } = receipt;
        let excused = self
            .ledger
            .disturbances
            .iter()
            .filter(|it| self.is_meant(record, it.client) && it.excuses(record.first_sent, at))
            .count();
        let (promised, received) = ((sessions + suspended) as usize, record.received.len());
        (received + excused < promised).then(|| {
            let what = format!(
                "m{message} ({:?}) was sent at {} and delivered to {promised} sessions; {received} have received it, \
                 {excused} may have lost it",
                record.target, record.first_sent
            );
            (Check::Lost, what)
        })
    }

    /// Whatever breaks, nobody says of a user that he is not there whose client is connected, unless its session was lost then.
    fn wrong_nobody(
        &self,
        message: MessageIx,
        record: &Record,
        receipt: Receipt,
        at: Time,
    ) -> Option<(Check, String)> {
        if !matches!(record.target, Target::User(_)) || receipt != Receipt::default() {
            return None;
        }
        let there = self.surely_there(record, at);
        (!there.is_empty()).then(|| {
            let what = format!(
                "m{message}, sent at {}, answered at {at}, reaches nobody, and {there:?} are connected",
                record.first_sent
            );
            (Check::NoSession, what)
        })
    }

    /// Whatever breaks, a group's message misses no member of whom its home was to know, unless the receipt says so.
    fn wrong_group(
        &self,
        message: MessageIx,
        record: &Record,
        receipt: Receipt,
        at: Time,
    ) -> Option<(Check, String)> {
        if !matches!(record.target, Target::Group(_)) || receipt.unreached > 0 {
            return None;
        }
        let is_forsaken = |client: ClientIx| {
            let mut forsaken = self.ledger.forsaken.iter().filter(|it| it.client == client);
            forsaken.any(|it| it.excuses(record.first_sent, at))
        };
        let is_missing = |client: &ClientIx| !record.has_reached(*client) && !is_forsaken(*client);
        let missing: Vec<_> = self.surely_there(record, at).into_iter().filter(is_missing).collect();
        (missing.len() > (receipt.missed + receipt.overflowed) as usize).then(|| {
            let what = format!(
                "m{message} ({:?}), sent at {}, answered at {at}: {receipt:?}, and {missing:?} have not received it",
                record.target, record.first_sent
            );
            (Check::Lost, what)
        })
    }

    /// Those for whom a message is and who were connected all the time, if nothing of theirs was lost then.
    fn surely_there(&self, record: &Record, at: Time) -> Vec<ClientIx> {
        let is_excused = |client: ClientIx| {
            let mut disturbances = self.ledger.disturbances.iter().filter(|it| it.client == client);
            disturbances.any(|it| it.excuses(record.first_sent, at))
        };
        self.there(record).into_iter().filter(|client| !is_excused(*client)).collect()
    }

    /// Those for whom a message is, and who were connected when it was sent; of a group only those whom its home was to know.
    fn there(&self, record: &Record) -> Vec<ClientIx> {
        let is_group = matches!(record.target, Target::Group(_));
        let is_there = |client: &ClientIx| {
            let since = self.ledger.connected_since.get(client);
            self.is_meant(record, *client)
                && since.is_some_and(|since| *since <= record.first_sent)
                && !(is_group && self.ledger.unsettled.contains(client))
        };
        (0..self.clients.len()).filter(is_there).collect()
    }

    /// Without faults, everybody who was there receives everything, but for those of whom the receipt says that they were not
    /// reached in time.
    fn wrong_when_planned(
        &self,
        message: MessageIx,
        record: &Record,
        receipt: Receipt,
        at: Time,
    ) -> Option<(Check, String)> {
        let told = format!("m{message} ({:?}), sent at {}: {receipt:?}", record.target, record.first_sent);
        let there = self.there(record);
        let told_of = receipt.missed + receipt.unreached;
        if receipt.sessions + receipt.suspended + told_of == 0 && !there.is_empty() {
            return Some((Check::NoSession, format!("{told}, and {there:?} are connected")));
        }
        let missing: Vec<_> = there.into_iter().filter(|client| !record.has_reached(*client)).collect();
        if missing.len() > told_of as usize {
            return Some((Check::Lost, format!("{told}, and {missing:?} have not received it")));
        }
        // Each is a session that has ended meanwhile.
        let left = self.ledger.disturbances.iter().filter(|it| it.excuses(record.first_sent, at));
        let left = left.filter(|it| self.is_meant(record, it.client)).count();
        let received = record.received.len() + left;
        (received < (receipt.sessions + receipt.suspended) as usize)
            .then(|| (Check::Lost, format!("{told}, and {received} clients have received it")))
    }

    fn is_meant(&self, record: &Record, client: ClientIx) -> bool {
        let client = &self.clients[client];
        match record.target {
            Target::User(user) => client.user_ix == user,
            Target::Group(group) => client.groups.contains(&group),
            Target::All => true,
        }
    }

    /// Each client has received what one sender sent to its user in the order of sending. What was sent again although it may have been
    /// delivered may come late.
    fn check_order(&mut self) {
        let mut broken = None;
        for (client, inbox) in &self.ledger.inboxes {
            let mut last: BTreeMap<usize, MessageIx> = BTreeMap::new();
            for &message in inbox {
                let record = &self.ledger.messages[message];
                let is_sure = matches!(record.answered, Some((_, Outcome::Receipt(receipt))) if receipt.missed + receipt.unreached == 0);
                if !matches!(record.target, Target::User(_)) || !is_sure || record.doubts > 0 {
                    continue;
                }
                if let Some(before) = last.insert(record.sender, message)
                    && before > message
                {
                    broken = broken.or(Some(format!("c{client} receives m{message} after m{before}")));
                }
            }
        }
        if let Some(what) = broken {
            self.ledger.broken(Check::Order, what);
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        let mut fingerprint = 0u64;
        for (client, inbox) in &self.ledger.inboxes {
            for message in inbox {
                let next = (*client as u64) << 32 | *message as u64;
                fingerprint =
                    fingerprint.rotate_left(5).wrapping_add(next).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            }
        }
        Summary {
            events: self.schedule.planned(),
            sent: self.ledger.messages.len() as u64,
            received: self.ledger.received,
            doubled: self.ledger.doubled,
            moved: self.ledger.moved,
            fingerprint,
        }
    }
}
