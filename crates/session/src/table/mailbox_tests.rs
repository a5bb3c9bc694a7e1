//! One session over a mailbox, whatever happens: its client gets everything that is stored, in order, and what it acknowledges is
//! known to the store. A client that numbers gets nothing twice, once it passes over what it has, and hears of whatever the store
//! loses before it gets what comes after that.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::opening;
use super::*;
use crate::directive::MailboxWish;
use crate::mailbox::{MailboxOpened, MailboxPlace, Stored};
use crate::message::Message;
use crate::payload::Payload;
use crate::state::SessionState;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Something is stored and sent.
    Store { bytes: u16 },
    /// Another worker stores something, and says so or not.
    Elsewhere { poke: bool },
    /// Something that is not stored.
    BestEffort,
    /// The oldest wish is granted.
    Grant,
    /// The client takes what is on its way to it, so many messages.
    Receive { messages: u8 },
    /// It acknowledges all that it has.
    Acknowledge,
    /// Its way breaks, and what is on it is lost; its gateway comes back.
    Break,
    /// The session goes to another worker.
    Move,
    /// Its worker dies.
    Crash,
    /// The store loses so many of the oldest messages.
    Lose { messages: u8 },
    /// It loses one in the middle.
    LoseOne { back: u8 },
    /// The store loses everything, and begins anew.
    LoseAll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u16..300).prop_map(|bytes| Step::Store { bytes }),
        1 => any::<bool>().prop_map(|poke| Step::Elsewhere { poke }),
        1 => Just(Step::BestEffort),
        4 => Just(Step::Grant),
        4 => (1u8..6).prop_map(|messages| Step::Receive { messages }),
        3 => Just(Step::Acknowledge),
        1 => Just(Step::Break),
        1 => Just(Step::Move),
        1 => Just(Step::Crash),
    ]
}

fn step_or_loss() -> impl Strategy<Value = Step> {
    prop_oneof![
        18 => step(),
        1 => (1u8..9).prop_map(|messages| Step::Lose { messages }),
        2 => (0u8..9).prop_map(|back| Step::LoseOne { back }),
        1 => Just(Step::LoseAll),
    ]
}

/// Something on its way: its offset in the stream, what it counts, and what it is.
type OnTheWay = (u64, u64, Heard);

/// What a client hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Message(MailboxPlace),
    Mailbox {
        place: MailboxPlace,
        recovered: bool,
        /// What is missing before this was there before the client was told of its mailbox.
        whole_from: u64,
    },
    /// What is not stored.
    Other,
}

struct World {
    table: SessionTable,
    subprotocol: &'static str,
    epoch: u64,
    stored: Vec<Message>,
    /// The first that the store has not lost.
    first: u64,
    /// What it has lost in the middle: epochs and offsets.
    holes: BTreeSet<(u64, u64)>,
    /// What was said of each epoch when it was opened last: what was told of an earlier one may be told again.
    whole_from: BTreeMap<u64, u64>,
    /// What the store knows the client to have, if it knows the client.
    position: Option<u64>,
    /// Whether the worker knows the epoch.
    is_noticed: bool,
    wishes: Vec<Directive>,
    on_the_way: std::collections::VecDeque<OnTheWay>,
    /// What the client has received, duplicates and all.
    received: Vec<Heard>,
    passed: u64,
    link: u64,
    checkpoint: SessionState,
}

impl World {
    fn new(subprotocol: &'static str) -> Self {
        let mut table = SessionTable::new(policy());
        let mut out = Vec::new();
        let opening = Opening { subprotocol: subprotocol.into(), ..opening("alice", at(1), &[]) };
        table.open(opening, &mut out).unwrap();
        let checkpoint = table.checkpoint(id(&table)).unwrap();
        let mut world = World {
            table,
            subprotocol,
            epoch: 7,
            stored: Vec::new(),
            first: 1,
            holes: BTreeSet::new(),
            whole_from: BTreeMap::new(),
            position: None,
            is_noticed: true,
            wishes: Vec::new(),
            on_the_way: std::collections::VecDeque::new(),
            received: Vec::new(),
            passed: 0,
            link: 1,
            checkpoint,
        };
        world.take(out);
        world
    }

    /// The last that was lost in the middle of these.
    fn lost(&self, offsets: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let is_there = |(epoch, offset): &&(u64, u64)| *epoch == self.epoch && offsets.contains(offset);
        self.holes.iter().rev().find(is_there).map(|(_, offset)| *offset)
    }

    fn numbers(&self) -> bool {
        self.subprotocol == crate::frame::SUBPROTOCOL
    }

    fn address(&self) -> Address {
        at(self.link)
    }

    fn end(&self) -> u64 {
        self.stored.len() as u64
    }

    /// The worker finds out that everything was lost, if it was.
    fn notice(&mut self) {
        if !std::mem::replace(&mut self.is_noticed, true) {
            let (mut out, user) = (Vec::new(), UserId::new("alice").unwrap());
            let end = MailboxPlace { epoch: self.epoch, offset: self.end() };
            self.table.mailbox_grew(&user, end, &mut out);
            self.take(out);
        }
    }

    fn store(&mut self, bytes: u16) -> Message {
        let place = MailboxPlace { epoch: self.epoch, offset: self.end() + 1 };
        let text = format!("{}:{}", place.offset, "x".repeat(bytes.into()));
        let payload = Payload::text(text.into());
        let message = Message::new(format!("m{}", place.offset), String::new(), payload)
            .stored_at(Stored { place, until_first_ack: false });
        self.stored.push(message.clone());
        message
    }

    fn take(&mut self, out: Vec<Directive>) {
        for directive in out {
            match directive {
                Directive::Deliver { offsets, payload, .. } => {
                    let offset = offsets.first().copied().unwrap_or(0);
                    let bytes = payload.bytes().len();
                    let counted =
                        if offset == 0 { bytes } else { crate::frame::numbered_bytes(offset, bytes) };
                    let cost = counted as u64 + crate::payload::MESSAGE_OVERHEAD_BYTES;
                    let heard =
                        if offset == 0 { self.raw(&payload) } else { numbered(&self.whole_from, &payload) };
                    self.on_the_way.push_back((offset, cost, heard));
                }
                Directive::Taken { taken, .. } if taken.upto.epoch == self.epoch => {
                    self.position = self.position.max(Some(taken.upto.offset));
                }
                Directive::Checkpoint { state, .. } => self.checkpoint = *state,
                Directive::Taken { .. } => {}
                Directive::OpenMailbox(_) | Directive::ReadMailbox { .. } => self.wishes.push(directive),
                Directive::Close { .. } | Directive::Released { .. } | Directive::SessionsChanged(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn grant(&mut self) {
        if self.wishes.is_empty() {
            return;
        }
        let mut out = Vec::new();
        match self.wishes.remove(0) {
            Directive::OpenMailbox(wish) => {
                self.notice();
                let opened = self.opened(&wish);
                self.table.mailbox_opened(wish.session, opened, &mut out);
            }
            Directive::ReadMailbox { after, .. } if after.epoch != self.epoch => self.notice(),
            Directive::ReadMailbox { session, after, .. } => {
                let page = self.page(after);
                self.table.mailbox_read(session, &page, &mut out);
            }
            other => panic!("{other:?}"),
        }
        self.take(out);
    }

    /// The next three, as far as they are still there.
    fn page(&self, after: MailboxPlace) -> MailboxPage {
        let removed_to = self.first - 1;
        let from = after.offset.max(removed_to);
        let mut messages: Vec<_> = self.stored.iter().skip(from as usize).take(3).cloned().collect();
        let read_to = from + messages.len() as u64;
        messages.retain(|message| {
            let offset = message.stored().map(|stored| stored.place.offset);
            offset.is_some_and(|offset| !self.holes.contains(&(self.epoch, offset)))
        });
        let removed_to = if from > after.offset { removed_to } else { 0 };
        let gone_to = self.lost(from + 1..=read_to).unwrap_or(0).max(removed_to);
        MailboxPage { after, messages, read_to, gone_to }
    }

    /// As `MailboxState::recovery` has it.
    fn opened(&mut self, wish: &MailboxWish) -> MailboxOpened {
        let has = wish.has.filter(|has| has.epoch == self.epoch).map(|has| has.offset);
        let known = self.position.max(has);
        let knows_all = wish.has.is_none() || has.is_some_and(|has| has <= self.end());
        let whole_from = self.lost(0..=u64::MAX).map_or(self.first, |hole| self.first.max(hole + 1));
        let recovered = knows_all && known.is_none_or(|known| known + 1 >= whole_from);
        self.whole_from.insert(self.epoch, whole_from);
        let goes_on = has.filter(|_| wish.goes_on && recovered);
        let offset = goes_on.or(known).unwrap_or(0).max(self.first - 1);
        let after = MailboxPlace { epoch: self.epoch, offset };
        MailboxOpened { has: wish.has, after, end: self.end(), recovered, whole_from }
    }

    /// Which of the stored messages a raw client gets.
    fn raw(&self, payload: &Payload) -> Heard {
        let text = std::str::from_utf8(payload.bytes()).unwrap();
        let Some((number, _)) = text.split_once(':') else { return Heard::Other };
        Heard::Message(MailboxPlace { epoch: self.epoch, offset: number.parse().unwrap() })
    }

    fn receive(&mut self, messages: u8) {
        let mut bytes = 0;
        for _ in 0..messages {
            let Some((offset, cost, heard)) = self.on_the_way.pop_front() else { break };
            bytes += cost;
            self.passed = self.passed.max(offset);
            self.received.push(heard);
        }
        let (mut out, Address { link, channel }) = (Vec::new(), self.address());
        self.table.written(link, [(channel, bytes)], &mut out);
        self.take(out);
    }

    fn reattach(&mut self) {
        self.link += 1;
        let mut out = Vec::new();
        let user = UserId::new("alice").unwrap();
        let claim = Claim {
            id: id(&self.table),
            user: &user,
            address: self.address(),
            offset: self.passed,
            attempt: 0,
        };
        self.on_the_way.clear();
        self.table.attach(claim, &mut out).unwrap();
        self.table.flush(id(&self.table), &mut out);
        self.take(out);
    }

    /// Another worker begins with a state.
    fn restore(&mut self, state: SessionState) {
        self.table = SessionTable::new(policy());
        self.wishes.clear();
        self.link += 1;
        let (session, mut out) = (state.id, Vec::new());
        self.table.restore(state, Place::Attached(self.address()), None, &mut out).unwrap();
        self.table.rewind(session, self.passed);
        self.table.flush(session, &mut out);
        self.take(out);
        self.checkpoint = self.table.checkpoint(session).unwrap();
    }

    fn step(&mut self, step: Step) {
        let mut out = Vec::new();
        let user = UserId::new("alice").unwrap();
        match step {
            Step::Store { bytes } => {
                self.notice();
                let message = self.store(bytes);
                self.table.send_stored(&user, &message, &mut out);
            }
            Step::Elsewhere { poke } => {
                self.store(10);
                if poke {
                    self.is_noticed = true;
                    let end = MailboxPlace { epoch: self.epoch, offset: self.end() };
                    self.table.mailbox_grew(&user, end, &mut out);
                }
            }
            Step::BestEffort => {
                let message = Message::of(Payload::text("not stored".into()));
                self.table.send_to_user(&user, &message, &[], &mut out);
            }
            Step::Grant => self.grant(),
            Step::Receive { messages } => self.receive(messages),
            Step::Acknowledge if self.numbers() => {
                self.table.acknowledge(self.address(), self.passed, &mut out);
            }
            Step::Acknowledge => {}
            Step::Break => self.reattach(),
            Step::Move => {
                let state = self.table.take_out(id(&self.table), &mut out).unwrap();
                // Its gateway has what is on the way.
                while !self.on_the_way.is_empty() {
                    let (offset, _, heard) = self.on_the_way.pop_front().unwrap();
                    self.passed = self.passed.max(offset);
                    self.received.push(heard);
                }
                self.restore(state);
            }
            Step::Crash => {
                let state = self.checkpoint.clone();
                self.on_the_way.clear();
                self.restore(state);
            }
            Step::Lose { messages } => self.first = (self.first + u64::from(messages)).min(self.end() + 1),
            Step::LoseOne { back } => {
                let offset = self.end().saturating_sub(back.into());
                if offset >= self.first.max(1) {
                    self.holes.insert((self.epoch, offset));
                }
            }
            Step::LoseAll => {
                (self.epoch, self.first, self.position) = (self.epoch + 1, 1, None);
                self.stored.clear();
                self.is_noticed = false;
            }
        }
        self.take(out);
    }

    /// Everything goes well from now on.
    fn settle(&mut self) {
        self.step(Step::Elsewhere { poke: true });
        for _ in 0..self.stored.len() * 4 + 20 {
            self.step(Step::Grant);
            self.step(Step::Receive { messages: 9 });
            self.step(Step::Acknowledge);
        }
    }
}

fn at(link: u64) -> Address {
    Address { link: LinkId(link), channel: crate::directive::Channel(1) }
}

fn policy() -> Policy {
    Policy { mailboxes: true, queue_bytes_max: 3000, window_bytes: 900, ..Policy::default() }
}

fn id(table: &SessionTable) -> SessionId {
    table.ids().next().expect("the session is there").0
}

/// What a client of the protocol reads in a frame.
fn numbered(whole_from: &BTreeMap<u64, u64>, tail: &Payload) -> Heard {
    let tail = std::str::from_utf8(tail.bytes()).unwrap();
    let frame: serde_json::Value = serde_json::from_str(&crate::frame::numbered(1, tail)).unwrap();
    let place = |name: &str| frame[name].as_str().map(|place| place.parse::<MailboxPlace>().unwrap());
    match (place("place"), place("stored")) {
        (Some(place), _) => {
            let whole_from = whole_from[&place.epoch];
            Heard::Mailbox { place, recovered: frame["recovered"].as_bool().unwrap(), whole_from }
        }
        (None, Some(place)) => Heard::Message(place),
        (None, None) => Heard::Other,
    }
}

/// The offsets of the stored messages, in the order in which they came.
fn offsets(received: &[Heard]) -> Vec<u64> {
    let offset = |heard: &Heard| match heard {
        Heard::Message(place) => Some(place.offset),
        Heard::Mailbox { .. } | Heard::Other => None,
    };
    received.iter().filter_map(offset).collect()
}

/// What is left when a client passes over what it has had.
fn once(received: &[u64]) -> Vec<u64> {
    let mut last = 0;
    let is_new = |number: &u64| *number > last && std::mem::replace(&mut last, *number) < *number;
    received.iter().copied().filter(is_new).collect()
}

/// Follows a client of the protocol through what it hears. Gives back the last place that it has.
fn heard_without_a_silent_hole(received: &[Heard]) -> Result<Option<MailboxPlace>, String> {
    let (mut has, mut accepted): (Option<MailboxPlace>, Vec<MailboxPlace>) = (None, Vec::new());
    // It knows that what is before this may be missing, or began with it.
    let mut told_to = 0;
    for (at, heard) in received.iter().enumerate() {
        match *heard {
            Heard::Other => {}
            Heard::Mailbox { place, recovered: false, whole_from } => {
                (has, told_to) = (Some(place), whole_from);
            }
            Heard::Mailbox { place, recovered: true, whole_from } => match has {
                Some(before) if before.epoch == place.epoch && place.offset <= before.offset => {}
                Some(before) => return Err(format!("{at}: {place} is recovered after {before}")),
                None => (has, told_to) = (Some(place), whole_from),
            },
            Heard::Message(place) => match has {
                Some(before) if before.epoch == place.epoch && place.offset <= before.offset => {
                    if !accepted.contains(&place) {
                        return Err(format!("{at}: {place} is passed over, and never came before"));
                    }
                }
                Some(before)
                    if before.epoch == place.epoch
                        && (place.offset == before.offset + 1 || place.offset <= told_to) =>
                {
                    accepted.push(place);
                    has = Some(place);
                }
                _ => return Err(format!("{at}: {place} after {has:?}")),
            },
        }
    }
    Ok(has)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn everything_that_is_stored_arrives_in_order(
        numbers in any::<bool>(),
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new(if numbers { crate::frame::SUBPROTOCOL } else { "" });
        for step in &steps {
            world.step(*step);
        }
        world.settle();
        let (all, received): (Vec<u64>, _) = ((1..=world.end()).collect(), offsets(&world.received));
        prop_assert_eq!(once(&received), all, "received {:?}", world.received);
        prop_assert_eq!(world.position, Some(world.end()));
        let is_quiet = !steps.iter().any(|step| matches!(step, Step::Break | Step::Crash));
        if is_quiet {
            prop_assert_eq!(received.len() as u64, world.end(), "nothing comes twice: {:?}", world.received);
        }
    }

    #[test]
    fn whatever_the_store_loses_is_told_before_what_comes_after_it(
        steps in proptest::collection::vec(step_or_loss(), 0..60),
    ) {
        let mut world = World::new(crate::frame::SUBPROTOCOL);
        for step in &steps {
            world.step(*step);
        }
        world.settle();
        let has = heard_without_a_silent_hole(&world.received)
            .map_err(|hole| TestCaseError::fail(format!("{hole}\n{:?}", world.received)))?;
        let last = (1..=world.end()).rev().find(|offset| !world.holes.contains(&(world.epoch, *offset)));
        let has = has.filter(|has| has.epoch == world.epoch).map(|has| has.offset);
        prop_assert!(has >= last && has <= Some(world.end()), "{has:?} instead of {last:?}");
    }
}
