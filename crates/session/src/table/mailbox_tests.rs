//! One session over a mailbox, whatever happens: its client gets everything that is stored, in order, and what it acknowledges is
//! known to the store. A client that numbers gets nothing twice, once it passes over what it has.

use proptest::prelude::*;

use super::tests::opening;
use super::*;
use crate::mailbox::{MailboxOpened, MailboxPlace, Stored};
use crate::message::Message;
use crate::payload::Payload;
use crate::state::SessionState;

const EPOCH: u64 = 7;

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

/// A message on its way: its offset in the stream, what it counts, and its offset in the mailbox.
type OnTheWay = (u64, u64, Option<u64>);

struct World {
    table: SessionTable,
    subprotocol: &'static str,
    stored: Vec<Message>,
    /// What the store knows the client to have.
    position: u64,
    wishes: Vec<Directive>,
    on_the_way: std::collections::VecDeque<OnTheWay>,
    /// What the client has received, duplicates and all.
    received: Vec<u64>,
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
            stored: Vec::new(),
            position: 0,
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

    fn numbers(&self) -> bool {
        self.subprotocol == crate::frame::SUBPROTOCOL
    }

    fn address(&self) -> Address {
        at(self.link)
    }

    fn end(&self) -> u64 {
        self.stored.len() as u64
    }

    fn store(&mut self, bytes: u16) -> Message {
        let place = MailboxPlace { epoch: EPOCH, offset: self.end() + 1 };
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
                    if offset == 0 && self.numbers() {
                        continue; // What is said aside.
                    }
                    let bytes = payload.bytes().len();
                    let counted =
                        if offset == 0 { bytes } else { crate::frame::numbered_bytes(offset, bytes) };
                    let cost = counted as u64 + crate::payload::MESSAGE_OVERHEAD_BYTES;
                    self.on_the_way.push_back((offset, cost, number_of(&payload)));
                }
                Directive::Taken { taken, .. } => self.position = self.position.max(taken.upto.offset),
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
                let offset = self.position.max(wish.has.map_or(0, |has| has.offset));
                let after = MailboxPlace { epoch: EPOCH, offset };
                let opened = MailboxOpened { has: wish.has, after, end: self.end(), recovered: true };
                self.table.mailbox_opened(wish.session, opened, &mut out);
            }
            Directive::ReadMailbox { session, after, .. } => {
                let messages: Vec<_> =
                    self.stored.iter().skip(after.offset as usize).take(3).cloned().collect();
                let read_to = after.offset + messages.len() as u64;
                let page = MailboxPage { after, messages, read_to, has_gap: false };
                self.table.mailbox_read(session, &page, &mut out);
            }
            other => panic!("{other:?}"),
        }
        self.take(out);
    }

    fn receive(&mut self, messages: u8) {
        let mut bytes = 0;
        for _ in 0..messages {
            let Some((offset, cost, number)) = self.on_the_way.pop_front() else { break };
            bytes += cost;
            self.passed = self.passed.max(offset);
            self.received.extend(number);
        }
        let (mut out, Address { link, channel }) = (Vec::new(), self.address());
        self.table.written(link, [(channel, bytes)], &mut out);
        self.take(out);
    }

    fn reattach(&mut self) {
        self.link += 1;
        let mut out = Vec::new();
        let user = UserId::new("alice").unwrap();
        let claim = Claim { id: id(&self.table), user: &user, address: self.address(), offset: self.passed };
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
                let message = self.store(bytes);
                self.table.send_stored(&user, &message, &mut out);
            }
            Step::Elsewhere { poke } => {
                self.store(10);
                if poke {
                    let end = MailboxPlace { epoch: EPOCH, offset: self.end() };
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
                    let (offset, _, number) = self.on_the_way.pop_front().unwrap();
                    self.passed = self.passed.max(offset);
                    self.received.extend(number);
                }
                self.restore(state);
            }
            Step::Crash => {
                let state = self.checkpoint.clone();
                self.on_the_way.clear();
                self.restore(state);
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

/// Which of the stored messages this is.
fn number_of(payload: &Payload) -> Option<u64> {
    let text = std::str::from_utf8(payload.bytes()).unwrap();
    let content = text.rsplit_once("\"data\":\"").map_or(text, |(_, content)| content);
    content.split_once(':')?.0.parse().ok()
}

/// What is left when a client passes over what it has had.
fn once(received: &[u64]) -> Vec<u64> {
    let mut last = 0;
    received
        .iter()
        .copied()
        .filter(|number| {
            *number > last && {
                last = *number;
                true
            }
        })
        .collect()
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
        let all: Vec<u64> = (1..=world.end()).collect();
        prop_assert_eq!(once(&world.received), all, "received {:?}", world.received);
        prop_assert_eq!(world.position, world.end());
        let is_quiet = !steps.iter().any(|step| matches!(step, Step::Break | Step::Crash));
        if is_quiet {
            prop_assert_eq!(world.received.len() as u64, world.end(), "nothing comes twice: {:?}", world.received);
        }
    }
}
