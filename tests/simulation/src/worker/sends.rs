//! Messages: sent to sessions, forwarded once, kept until it is known who has a user's sessions.

use std::collections::BTreeSet;

use ringway_session::{
    Circle, Directive, Fate, InVain, NotHere, Reach, Sending, Sent, SessionId, Tally, Ticket, UserId,
};

use crate::client;
use crate::event::{Answer, CallId, Caller, Event, Local, Receipt, Request, Why};
use crate::ledger::{Check, MessageIx, Target};
use crate::plan::{PURSUIT_PAUSE_MS, SEND_DEADLINE_MS};
use crate::schedule::Time;
use crate::view::{WorkerIx, worker_of};
use crate::world::World;

/// A message whose sessions are not all here.
#[derive(Debug)]
pub(crate) struct Pending {
    tickets: BTreeSet<Ticket>,
    /// How many other workers have not answered.
    parts: usize,
    tally: Tally,
    /// How many sessions or workers could not be asked.
    unreached: u32,
    /// The workers that could not be asked for sessions which may belong to others by now.
    doubtful: BTreeSet<WorkerIx>,
    /// Whether the message was sent after sessions that have strayed.
    has_pursued: bool,
    /// Until when it is.
    give_up_at: Time,
}

impl Pending {
    fn new(circle: Circle) -> Self {
        let tally = Tally::new(circle, Reach::default());
        let (tickets, doubtful, give_up_at) = (BTreeSet::new(), BTreeSet::new(), Time::default());
        Pending { tickets, parts: 0, tally, unreached: 0, doubtful, has_pursued: false, give_up_at }
    }

    /// What one worker says to another.
    fn part(&self) -> Answer {
        let Reach { sessions, suspended, overflowed, missed } = self.tally.reach();
        Answer::Receipt(Receipt { sessions, suspended, overflowed, missed, unreached: self.unreached })
    }

    /// What is said to a sender.
    fn receipt(&self) -> Answer {
        match self.tally.answer() {
            Err(InVain) if self.unreached == 0 => Answer::Refused,
            _ => self.part(),
        }
    }
}

/// What a worker does with a message for somebody who waits for its receipt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    worker: WorkerIx,
    call: CallId,
    message: MessageIx,
}

/// What another worker was asked to do for a message, and the sessions that have strayed.
struct Part {
    asked: WorkerIx,
    request: Request,
    strayed: Vec<SessionId>,
}

impl World {
    pub(crate) fn request_arrives(&mut self, call: CallId) {
        let Some(found) = self.calls.get_mut(&call) else { return };
        found.has_arrived = true;
        let (worker, request) = (found.to, found.request.clone());
        if !self.workers[worker].is_running() {
            let delay_ms = self.delay();
            return self.schedule.after(delay_ms, Event::Answer { call, answer: Answer::Refused });
        }
        self.trace.add(self.schedule.now, || format!("w{worker} is called, {call}: {request:?}"));
        match request {
            Request::Send { message, .. } => {
                if self.is_behind_others(worker, message) || !self.try_send(worker, call) {
                    self.workers[worker].sends.push(call);
                    self.expect_by(worker, call);
                }
            }
            Request::Local { message, target } => self.send_local(Job { worker, call, message }, &target),
            Request::Adopt { .. } => self.asked_to_adopt(worker, call),
        }
        self.try_again(worker);
    }

    /// Whether an earlier message of the same sender to the same user waits.
    fn is_behind_others(&self, worker: WorkerIx, message: MessageIx) -> bool {
        self.workers[worker].sends.iter().any(|call| {
            self.calls.get(call).is_some_and(|call| match call.request {
                Request::Send { message: other, .. } => self.ledger.is_one_lane(other, message),
                _ => false,
            })
        })
    }

    pub(super) fn try_sends(&mut self, worker: WorkerIx) {
        for call in std::mem::take(&mut self.workers[worker].sends) {
            let message = match self.calls.get(&call).map(|call| &call.request) {
                Some(Request::Send { message, .. }) => *message,
                _ => continue, // Its caller is gone.
            };
            if self.is_behind_others(worker, message) || !self.try_send(worker, call) {
                self.workers[worker].sends.push(call);
            }
        }
    }

    fn expect_by(&mut self, worker: WorkerIx, call: CallId) {
        let incarnation = self.workers[worker].incarnation;
        self.schedule.after(SEND_DEADLINE_MS, Event::SendLate { worker, incarnation, call });
    }

    /// Nobody waits for this any longer.
    pub(crate) fn send_late(&mut self, worker: WorkerIx, incarnation: u64, call: CallId) {
        let it = &mut self.workers[worker];
        if it.incarnation != incarnation {
            return;
        }
        if let Some(position) = it.sends.iter().position(|waiting| *waiting == call) {
            it.sends.remove(position);
            self.answer(call, Answer::Refused);
            return self.try_again(worker);
        }
        let Some(pending) = it.pending.get_mut(&call) else { return };
        let mut late = Vec::new();
        for ticket in std::mem::take(&mut pending.tickets) {
            pending.tally.late();
            it.shard.withdraw(ticket);
            it.tickets.remove(&ticket);
            late.extend(ticket.session());
        }
        self.check_not_in_vain(worker, call, &late);
        self.finish_if_done(worker, call);
    }

    /// Nobody waits as long as may be for a session that had ended before, if everything is known everywhere soon.
    fn check_not_in_vain(&mut self, worker: WorkerIx, call: CallId, late: &[SessionId]) {
        let now = self.schedule.now;
        let began = now.saturating_sub(SEND_DEADLINE_MS);
        let has_doubted = self.workers[worker].doubted_at.is_some_and(|at| at >= began);
        let ended = late.iter().find(|id| self.ledger.had_ended(**id, began));
        if let Some(session) = ended.filter(|_| self.plan.is_swift() && !has_doubted) {
            let what = format!("w{worker} has waited for session {session}, which had ended, with {call}");
            self.ledger.broken(Check::Vain, what);
        }
    }

    /// Whether it was taken, forwarded or refused; otherwise it has to wait.
    fn try_send(&mut self, worker: WorkerIx, call: CallId) -> bool {
        let Some(Request::Send { message, is_forwarded }) =
            self.calls.get(&call).map(|call| call.request.clone())
        else {
            return true;
        };
        let job = Job { worker, call, message };
        match self.ledger.messages[message].target {
            _ if self.workers[worker].view.is_none() => self.answer(call, Answer::Refused),
            Target::User(user) => return self.send_to_user(job, user, is_forwarded),
            // It may act for nobody.
            _ if self.workers[worker].shard.is_lapsed(self.now()) => self.answer(call, Answer::Refused),
            Target::Group(group) => {
                let owner = self.workers[worker]
                    .view
                    .as_ref()
                    .and_then(|view| view.owner(&client::group_name(group)));
                if owner == Some(worker) {
                    let audience = self.audience(worker, group);
                    self.spread(job, &Local::Group(group), audience);
                } else {
                    self.forward(job, owner, is_forwarded);
                }
            }
            Target::All => {
                let members = self.workers[worker].view.iter().flat_map(|view| view.members.keys().copied());
                let others = members.filter(|other| *other != worker).collect();
                self.spread(job, &Local::All, others);
            }
        }
        true
    }

    fn send_to_user(&mut self, job: Job, user: usize, is_forwarded: bool) -> bool {
        let Job { worker, message, call } = job;
        let (now, name) = (self.now(), client::user_name(user));
        let shared = &self.ledger.messages[message].shared;
        let it = &mut self.workers[worker];
        let mut out = Vec::new();
        let user = UserId::new(&name).expect("a short name");
        let sent = it.shard.send_to_user(&user, Sending::of(shared), now, &mut out);
        self.trace.add(now.0, || format!("w{worker} sends m{message}: {sent:?}"));
        match sent {
            Ok(sent) => self.put_on_its_way(job, Circle::User, sent, out),
            Err(NotHere::Unsettled) => return false,
            Err(NotHere::Crowded) => self.answer(call, Answer::Refused),
            Err(NotHere::NotOwner) => {
                let owner = self.workers[worker].shard.ring().owner(&name).map(worker_of);
                self.forward(job, owner, is_forwarded);
            }
        }
        true
    }

    fn forward(&mut self, job: Job, owner: Option<WorkerIx>, is_forwarded: bool) {
        let Job { worker, call, message } = job;
        match owner.filter(|owner| *owner != worker && !is_forwarded) {
            Some(owner) => {
                let why = Why::Forward(call);
                self.ask(worker, owner, why, Request::Send { message, is_forwarded: true });
            }
            None => self.answer(call, Answer::Refused),
        }
    }

    fn ask(&mut self, worker: WorkerIx, other: WorkerIx, why: Why, request: Request) {
        let incarnation = self.workers[worker].incarnation;
        self.call(Caller::Worker { worker, incarnation, why }, other, request);
    }

    /// To sessions here, at these workers, and at those that have left lately.
    fn spread(&mut self, job: Job, target: &Local, mut others: BTreeSet<WorkerIx>) {
        let Job { worker, call, message } = job;
        others.extend(self.departed(worker));
        let pending = Pending { parts: others.len(), ..Pending::new(Circle::Many) };
        self.workers[worker].pending.insert(call, pending);
        for other in others {
            self.ask(worker, other, Why::Part(call), Request::Local { message, target: target.clone() });
        }
        self.send_local(job, target);
    }

    fn send_local(&mut self, job: Job, target: &Local) {
        let Job { worker, message, .. } = job;
        let now = self.now();
        let shared = &self.ledger.messages[message].shared;
        let shard = &mut self.workers[worker].shard;
        let mut out = Vec::new();
        let sent = match target {
            Local::Group(group) => {
                shard.send_to_group(&client::group(*group), Sending::of(shared), now, &mut out)
            }
            Local::All => shard.send_to_all(Sending::of(shared), now, &mut out),
            Local::Sessions(ids) => shard.send_to_sessions(ids, shared, now, &mut out),
        };
        self.trace.add(now.0, || format!("w{worker} sends m{message} to {target:?}: {sent:?}"));
        self.put_on_its_way(job, Circle::Many, sent, out);
    }

    fn put_on_its_way(&mut self, job: Job, circle: Circle, sent: Sent, out: Vec<Directive>) {
        let Job { worker, call, .. } = job;
        let Sent { reach, tickets, onward, strayed } = sent;
        let now = self.schedule.now;
        let it = &mut self.workers[worker];
        it.tickets.extend(tickets.iter().map(|ticket| (*ticket, job)));
        let pending = it.pending.entry(call).or_insert_with(|| Pending::new(circle));
        pending.give_up_at = pending.give_up_at.max(now + SEND_DEADLINE_MS);
        pending.tally.add(reach);
        pending.tally.stray(strayed);
        pending.tickets.extend(tickets);
        pending.parts += onward.len();
        if !pending.tickets.is_empty() {
            self.expect_by(worker, call);
        }
        self.carry_out(worker, out);
        for (other, sessions) in onward {
            self.send_onward(job, worker_of(&other), sessions);
        }
        self.finish_if_done(worker, call);
    }

    fn send_onward(&mut self, job: Job, other: WorkerIx, sessions: Vec<SessionId>) {
        let request = Request::Local { message: job.message, target: Local::Sessions(sessions) };
        self.ask(job.worker, other, Why::Part(job.call), request);
    }

    /// Sends a message after a session that belongs to another worker by now.
    fn send_after(&mut self, job: Job, session: SessionId) {
        let it = &mut self.workers[job.worker];
        let owner = it.shard.ring().owner_of_slot(session.slot()).map(worker_of);
        if let (Some(pending), Some(owner)) = (it.pending.get_mut(&job.call), owner) {
            pending.parts += 1;
            self.send_onward(job, owner, vec![session]);
        }
    }

    /// A message that waited for a session waits no longer.
    pub(super) fn settled(&mut self, worker: WorkerIx, ticket: Ticket, fate: Fate) {
        let it = &mut self.workers[worker];
        let Some(job) = it.tickets.remove(&ticket) else { return };
        let Some(pending) = it.pending.get_mut(&job.call) else { return };
        pending.tickets.remove(&ticket);
        pending.tally.settled(ticket, fate);
        self.finish_if_done(worker, job.call);
    }

    /// When nothing is waited for any more, whoever was asked by another worker says which sessions have strayed; and whoever has the
    /// message from its sender sends it after them.
    fn finish_if_done(&mut self, worker: WorkerIx, call: CallId) {
        let it = &mut self.workers[worker];
        let is_done = |pending: &Pending| pending.tickets.is_empty() && pending.parts == 0;
        let Some(pending) = it.pending.get_mut(&call).filter(|pending| is_done(pending)) else { return };
        let found = self.calls.get_mut(&call);
        let part = found.filter(|call| matches!(call.request, Request::Local { .. }));
        let is_part = part.is_some();
        if let Some(part) = part {
            part.strayed = pending.tally.take_strayed();
        } else if pending.tally.has_strayed() {
            let pause_ms = if pending.has_pursued { PURSUIT_PAUSE_MS } else { 0 };
            let incarnation = it.incarnation;
            pending.has_pursued = true;
            return self.schedule.after(pause_ms, Event::Pursue { worker, incarnation, call });
        }
        let Some(pending) = it.pending.remove(&call) else { return };
        self.answer(call, if is_part { pending.part() } else { pending.receipt() });
    }

    /// Sends a message after sessions that have strayed.
    pub(crate) fn pursue(&mut self, worker: WorkerIx, incarnation: u64, call: CallId) {
        let (it, now) = (&mut self.workers[worker], self.schedule.now);
        let Some(pending) = it.pending.get_mut(&call).filter(|_| it.incarnation == incarnation) else {
            return;
        };
        let message = match self.calls.get(&call).map(|call| &call.request) {
            Some(Request::Send { message, .. }) if now < pending.give_up_at => *message,
            _ => {
                let strayed = pending.tally.take_strayed();
                strayed.iter().for_each(|_| pending.tally.late());
                self.check_not_in_vain(worker, call, &strayed);
                return self.finish_if_done(worker, call);
            }
        };
        let job = Job { worker, call, message };
        for session in pending.tally.take_strayed() {
            self.send_after(job, session);
        }
        self.finish_if_done(worker, call);
    }

    pub(crate) fn answer_arrives(&mut self, call: CallId, answer: Answer) {
        let Some(found) = self.calls.remove(&call) else { return };
        self.trace.add(self.schedule.now, || format!("answer to {call}: {answer:?}"));
        match found.from {
            Caller::Nobody => {}
            Caller::Sender(sender) => self.sender_hears(sender, &found.request, answer),
            Caller::Worker { worker, incarnation, why } => {
                if !self.workers[worker].is_running() || self.workers[worker].incarnation != incarnation {
                    return;
                }
                match why {
                    Why::Forward(of) => self.answer(of, answer),
                    Why::Part(of) => self.part_answered(
                        worker,
                        of,
                        Part { asked: found.to, request: found.request, strayed: found.strayed },
                        answer,
                    ),
                    Why::HandOver { .. } => self.handed_over(worker, why, answer),
                }
            }
        }
    }

    fn part_answered(
        &mut self,
        worker: WorkerIx,
        call: CallId,
        Part { asked, request, strayed }: Part,
        answer: Answer,
    ) {
        let it = &mut self.workers[worker];
        let Some(pending) = it.pending.get_mut(&call) else { return };
        pending.parts -= 1;
        if !matches!(answer, Answer::Receipt(_)) {
            it.homes.forget_departed(asked);
        }
        match (answer, request) {
            (Answer::Receipt(receipt), _) => {
                let Receipt { sessions, suspended, overflowed, missed, unreached } = receipt;
                pending.tally.add(Reach { sessions, suspended, overflowed, missed });
                pending.unreached += unreached;
                pending.tally.stray(strayed);
            }
            (Answer::Refused, Request::Local { target: Local::Sessions(sessions), .. })
                if pending.doubtful.insert(asked) =>
            {
                pending.tally.stray(sessions);
            }
            (_, Request::Local { target: Local::Sessions(sessions), .. }) => {
                pending.unreached += sessions.len() as u32;
            }
            _ => pending.unreached += 1,
        }
        self.finish_if_done(worker, call);
    }

    /// A worker was killed: who had called it hears so.
    pub(crate) fn lose_calls_of(&mut self, worker: WorkerIx) {
        self.lose_calls(|world, call| {
            let found = &world.calls[&call];
            found.to == worker || found.from.worker() == Some(worker)
        });
    }

    pub(crate) fn lose_calls_between(&mut self, a: crate::event::Node, b: crate::event::Node) {
        use crate::event::Node;
        self.lose_calls(|world, call| {
            let found = &world.calls[&call];
            let ends = [Some(Node::Worker(found.to)), found.from.node()];
            ends == [Some(a), Some(b)] || ends == [Some(b), Some(a)]
        });
    }

    fn lose_calls(&mut self, is_lost: impl Fn(&World, CallId) -> bool) {
        let lost: Vec<_> = self.calls.keys().copied().filter(|call| is_lost(self, *call)).collect();
        for call in lost {
            let delay_ms = self.delay();
            self.schedule.after(delay_ms, Event::Answer { call, answer: Answer::ConnectionLost });
        }
    }
}
