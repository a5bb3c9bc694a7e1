//! What was promised and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ringway_session::{Kind, Message, Payload, SessionId};

use crate::event::{ClientIx, GroupIx, Receipt, SenderIx};
use crate::plan::{FLIGHT_MS, LOST_MS};
use crate::schedule::Time;

pub(crate) type MessageIx = usize;

/// A promise that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// What was said to be delivered is received.
    Lost,
    /// Nothing is received twice.
    Twice,
    /// Messages of one sender to one user, and of one client, keep their order.
    Order,
    /// The offsets of a numbered stream have no holes and do not come again.
    Numbers,
    /// Every session ends on its owner, once, and its gateway knows it there.
    Place,
    /// A client does not notice planned changes.
    Closed,
    /// A client that comes back in time finds its session, and all that it was sent.
    Resumed,
    /// A user who is connected is there.
    NoSession,
    /// Nothing is left over.
    Leftover,
    /// No message waits for a session that had ended before it was sent, unless something broke.
    Vain,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub check: Check,
    /// How.
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    User(usize),
    Group(GroupIx),
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Receipt(Receipt),
    Refused,
    Unknown,
}

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) sender: SenderIx,
    pub(crate) target: Target,
    pub(crate) shared: Message,
    pub(crate) first_sent: Time,
    pub(crate) answered: Option<(Time, Outcome)>,
    /// How often it was sent again although it may have been delivered: so often anybody may receive it once more.
    pub(crate) doubts: usize,
    /// By which of a client's sessions it was received.
    pub(crate) received: Vec<(ClientIx, u32)>,
    /// By whom once more.
    again: Vec<(ClientIx, u32)>,
}

impl Record {
    pub(crate) fn has_reached(&self, client: ClientIx) -> bool {
        self.received.iter().any(|(reached, _)| *reached == client)
    }
}

/// While something was lost on its way to a client that the guarantees do not cover.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disturbance {
    pub(crate) client: ClientIx,
    pub(crate) from: Time,
    pub(crate) to: Time,
    /// Whether nothing but the client's leave was the cause.
    pub(crate) has_left: bool,
}

impl Disturbance {
    /// Whether a message may be lost by it which was on its way at that time.
    pub(crate) fn excuses(&self, sent: Time, answered: Time) -> bool {
        self.from <= answered && sent <= self.to
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) messages: Vec<Record>,
    pub(crate) moved: u64,
    pub(crate) received: u64,
    pub(crate) doubled: u64,
    pub(crate) violation: Option<Violation>,
    clients: BTreeMap<SessionId, ClientIx>,
    /// When sessions ended whose clients have said goodbye.
    ended: BTreeMap<SessionId, Time>,
    /// Clients whose session was opened although the homes of its groups may not know of it.
    pub(crate) unsettled: BTreeSet<ClientIx>,
    /// While a client's session was at a worker that had died or was taken for dead, and at no other: a group's home need not know.
    pub(crate) forsaken: Vec<Disturbance>,
    /// Since when each client has been connected without a break.
    pub(crate) connected_since: BTreeMap<ClientIx, Time>,
    pub(crate) disturbances: Vec<Disturbance>,
    /// What each client has received, in order.
    pub(crate) inboxes: BTreeMap<ClientIx, Vec<MessageIx>>,
    /// The last message from each session that a worker has received.
    pub(crate) said: BTreeMap<SessionId, u64>,
}

impl Ledger {
    pub(crate) fn broken(&mut self, check: Check, what: String) {
        self.violation.get_or_insert(Violation { check, what });
    }

    pub(crate) fn new_message(&mut self, sender: SenderIx, target: Target, now: Time) -> MessageIx {
        let message = self.messages.len();
        let text: Bytes = message.to_string().into();
        let payload = Payload::new(text, Kind::Text).expect("digits are text");
        let shared = Message::new(message.to_string(), String::new(), payload);
        let (doubts, received, again) = (0, Vec::new(), Vec::new());
        let answered = None;
        self.messages.push(Record {
            sender,
            target,
            shared,
            first_sent: now,
            answered,
            doubts,
            received,
            again,
        });
        message
    }

    pub(crate) fn is_one_lane(&self, a: MessageIx, b: MessageIx) -> bool {
        let (a, b) = (&self.messages[a], &self.messages[b]);
        a.sender == b.sender && a.target == b.target
    }

    pub(crate) fn answered(&mut self, message: MessageIx, outcome: Outcome, now: Time) {
        self.messages[message].answered = Some((now, outcome));
    }

    pub(crate) fn received(&mut self, client: ClientIx, session: u32, message: MessageIx, now: Time) {
        let record = &mut self.messages[message];
        if record.received.contains(&(client, session)) {
            let times = record.again.iter().filter(|again| **again == (client, session)).count();
            if times < record.doubts {
                self.doubled += 1;
                return record.again.push((client, session));
            }
            // After a crash nobody knows what was given to a session of what went to many: it may come from two workers.
            let is_torn =
                |it: &Disturbance| it.client == client && !it.has_left && record.first_sent <= it.to;
            if !matches!(record.target, Target::User(_)) && self.disturbances.iter().any(is_torn) {
                return;
            }
            let what = format!("c{client} receives m{message} again at {now}");
            return self.broken(Check::Twice, what);
        }
        record.received.push((client, session));
        self.received += 1;
        self.inboxes.entry(client).or_default().push(message);
    }

    pub(crate) fn opened(&mut self, session: SessionId, client: ClientIx) {
        self.clients.insert(session, client);
    }

    pub(crate) fn expired(&mut self, session: SessionId, now: Time) {
        self.disturb_session(session, now.saturating_sub(2 * LOST_MS), now);
    }

    pub(crate) fn disturb_session(&mut self, session: SessionId, from: Time, to: Time) {
        if let Some(&client) = self.clients.get(&session) {
            self.disturb(client, from, to);
        }
    }

    pub(crate) fn disturb(&mut self, client: ClientIx, from: Time, to: Time) {
        self.disturbances.push(Disturbance { client, from, to, has_left: false });
    }

    /// A session's worker is no member any more, or has died.
    pub(crate) fn forsaken(&mut self, session: SessionId, now: Time) {
        if let Some(&client) = self.clients.get(&session) {
            self.forsaken.push(Disturbance { client, from: now, to: Time::MAX, has_left: false });
        }
    }

    /// A client's session is open at a worker.
    pub(crate) fn found(&mut self, client: ClientIx, now: Time) {
        let open = self.forsaken.iter_mut().filter(|it| it.client == client && it.to == Time::MAX);
        open.for_each(|it| it.to = now);
    }

    pub(crate) fn connected(&mut self, client: ClientIx, now: Time) {
        self.connected_since.entry(client).or_insert(now);
    }

    pub(crate) fn disconnected(&mut self, client: ClientIx, now: Time) {
        self.connected_since.remove(&client);
        self.disturb(client, now.saturating_sub(LOST_MS), now);
    }

    /// A client has left that asked for its session at that time: whatever is on its way to it, or is sent before its worker hears of
    /// it, reaches nobody.
    pub(crate) fn left(&mut self, client: ClientIx, asked_at: Time, now: Time) {
        self.connected_since.remove(&client);
        let (from, to) = (asked_at, now + 2 * FLIGHT_MS);
        self.disturbances.push(Disturbance { client, from, to, has_left: true });
    }

    pub(crate) fn ended(&mut self, session: SessionId, now: Time) {
        self.ended.insert(session, now);
    }

    /// Whether a session had ended by then.
    pub(crate) fn had_ended(&self, session: SessionId, then: Time) -> bool {
        self.ended.get(&session).is_some_and(|ended| *ended <= then)
    }

    pub(crate) fn socket_broke(&mut self, client: ClientIx, now: Time, can_resume: bool) {
        if !can_resume {
            self.connected_since.remove(&client);
            self.disturb(client, now.saturating_sub(LOST_MS), now + 2_000);
        }
    }

    /// A client could not go on where it was.
    pub(crate) fn not_recovered(&mut self, client: ClientIx, now: Time) {
        self.connected_since.insert(client, now);
        self.disturb(client, now.saturating_sub(LOST_MS), now);
    }

    pub(crate) fn said_arrives(&mut self, session: SessionId, number: u64) {
        let last = self.said.entry(session).or_default();
        if number <= *last {
            let what = format!("a worker receives message {number} of session {session} after {last}");
            return self.broken(Check::Order, what);
        }
        *last = number;
    }
}
