//! Back ends: each sends messages and waits for their receipts, one by one or a few at a time; to one user, one by one.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::event::{Answer, Caller, Event, Request, SenderIx};
use crate::ledger::{MessageIx, Outcome, Target};
use crate::view::View;
use crate::world::World;

/// For how long a message that was refused is sent again.
const RETRY_MS: u64 = 12_000;

pub(crate) struct Sender {
    pub(crate) view: Rc<View>,
    /// How many messages may be under way.
    width: usize,
    /// Whether it sends again what may have been delivered.
    repeats: bool,
    under_way: BTreeSet<MessageIx>,
    /// Refused, and to be sent again.
    waiting: BTreeSet<MessageIx>,
}

impl World {
    pub(crate) fn make_senders(&mut self) {
        for sender in 0..self.plan.senders {
            let width = if sender == 0 { 4 } else { 1 };
            let repeats = self.random.chance(50);
            self.senders.push(Sender {
                view: Rc::clone(&self.newest),
                width,
                repeats,
                under_way: BTreeSet::new(),
                waiting: BTreeSet::new(),
            });
            self.ask_for_view(crate::event::Node::Sender(sender));
            self.schedule.at(1_000, Event::SenderTurn(sender));
        }
    }

    pub(crate) fn sender_turn(&mut self, sender: SenderIx) {
        let it = &mut self.senders[sender];
        let is_free = it.under_way.len() + it.waiting.len() < it.width;
        for message in std::mem::take(&mut it.waiting) {
            self.send(sender, message);
        }
        let target = self.draw_target();
        if is_free && self.is_active() && !self.is_busy_with(sender, target) {
            let message = self.ledger.new_message(sender, target, self.schedule.now);
            self.send(sender, message);
        }
        let it = &self.senders[sender];
        if self.is_active() || !it.waiting.is_empty() || !it.under_way.is_empty() {
            let pause_ms = 10 + self.random.below(if it.width > 1 { 60 } else { 120 });
            self.schedule.after(pause_ms, Event::SenderTurn(sender));
        }
    }

    fn is_busy_with(&self, sender: SenderIx, target: Target) -> bool {
        let it = &self.senders[sender];
        it.under_way.iter().chain(&it.waiting).any(|message| self.ledger.messages[*message].target == target)
    }

    fn draw_target(&mut self) -> Target {
        match self.random.below(10) {
            0..=5 => Target::User(self.random.index(self.plan.users)),
            6..=8 => Target::Group(self.random.index(2)),
            _ => Target::All,
        }
    }

    fn send(&mut self, sender: SenderIx, message: MessageIx) {
        let view = &self.senders[sender].view;
        let owner = match self.ledger.messages[message].target {
            Target::User(user) => view.owner(&crate::client::user_name(user)),
            Target::Group(group) => view.owner(&crate::client::group_name(group)),
            Target::All => view.members.keys().next().copied(),
        };
        let Some(to) = owner else {
            self.senders[sender].waiting.insert(message);
            return;
        };
        self.senders[sender].under_way.insert(message);
        self.trace.add(self.schedule.now, || format!("s{sender} sends m{message} to w{to}"));
        self.call(Caller::Sender(sender), to, Request::Send { message, is_forwarded: false });
    }

    pub(crate) fn sender_hears(&mut self, sender: SenderIx, request: &Request, answer: Answer) {
        let Request::Send { message, .. } = *request else { return };
        let now = self.schedule.now;
        let it = &mut self.senders[sender];
        it.under_way.remove(&message);
        self.trace.add(now, || format!("s{sender} hears of m{message}: {answer:?}"));
        let may_send_again = now - self.ledger.messages[message].first_sent < RETRY_MS;
        let outcome = match answer {
            Answer::Receipt(receipt) => Outcome::Receipt(receipt),
            Answer::Refused if may_send_again => {
                it.waiting.insert(message);
                return;
            }
            Answer::ConnectionLost if may_send_again && it.repeats => {
                self.ledger.messages[message].doubts += 1;
                it.waiting.insert(message);
                return;
            }
            Answer::Refused => Outcome::Refused,
            Answer::ConnectionLost | Answer::Adopted => Outcome::Unknown,
        };
        self.ledger.answered(message, outcome, now);
    }
}
