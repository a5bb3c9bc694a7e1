//! A worker: the real [`Shard`] in an imitation of the async code around it.

mod claims;
mod homes;
mod opens;
mod sends;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringway_session::{
    Address, Channel, Directive, Filter, LinkId, Moment, Shard, Ticket, deliver_cost_bytes,
};

use self::claims::{Claim, Claimed};
use self::homes::Homes;
use self::opens::WaitingOpen;
use self::sends::{Job, Pending};
use crate::event::{Answer, Call, CallId, Caller, Event, Frame, Node, PipeIx, Post, Request, Said, Why};
use crate::network::Flow;
use crate::plan::{FLIGHT_MS, LEASE_MS, LOST_MS, Plan};
use crate::schedule::Time;
use crate::view::{Member, View, WorkerIx, member_id, ring, worker_of};
use crate::world::World;

/// How far a worker's process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    /// There is none.
    Absent,
    Running,
}

pub(crate) struct Worker {
    pub(crate) process: Process,
    pub(crate) incarnation: u64,
    pub(crate) is_draining: bool,
    /// Whether it gets no time at present; what is for it waits.
    pub(crate) is_stopped: bool,
    pub(crate) backlog: Vec<Event>,
    /// Whether its lease goes on.
    is_leased: bool,
    /// When it last waited for users of workers that may have died.
    doubted_at: Option<Time>,
    pub(crate) shard: Shard,
    view: Option<Rc<View>>,
    /// The incarnation of each worker that it has seen, the last one.
    lives: BTreeMap<WorkerIx, u64>,
    pipes: BTreeSet<PipeIx>,
    claims: BTreeMap<WorkerIx, Claim>,
    claimed: BTreeMap<PipeIx, Claimed>,
    opens: Vec<WaitingOpen>,
    /// Messages for users of whom not everything is known yet, in order.
    sends: Vec<CallId>,
    pending: BTreeMap<CallId, Pending>,
    tickets: BTreeMap<Ticket, Job>,
    homes: Homes,
}

impl Worker {
    pub(crate) fn absent(worker: WorkerIx, plan: &Plan) -> Self {
        let shard = Shard::new(member_id(worker), plan.policy.clone(), plan.moves.clone(), ring(&[]));
        Worker {
            process: Process::Absent,
            incarnation: 0,
            is_draining: false,
            is_stopped: false,
            backlog: Vec::new(),
            is_leased: true,
            doubted_at: None,
            shard,
            view: None,
            lives: BTreeMap::new(),
            pipes: BTreeSet::new(),
            claims: BTreeMap::new(),
            claimed: BTreeMap::new(),
            opens: Vec::new(),
            sends: Vec::new(),
            pending: BTreeMap::new(),
            tickets: BTreeMap::new(),
            homes: Homes::new(worker),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process == Process::Running
    }

    /// Whether this incarnation runs and gets time.
    pub(crate) fn has_time(&self, incarnation: u64) -> bool {
        self.is_running() && !self.is_stopped && self.incarnation == incarnation
    }

    pub(crate) fn knows_pipe(&self, pipe: PipeIx) -> bool {
        self.pipes.contains(&pipe)
    }

    /// What is left over of what should be over, in words.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let counts = [
            ("expected sessions", self.shard.expected()),
            ("sessions that are followed", self.shard.followed()),
            ("workers that have not said what they hold", self.shard.unheard().count()),
            ("claims", self.claims.len()),
            ("claims of others", self.claimed.len()),
            ("waiting opens", self.opens.len()),
            ("waiting sends", self.sends.len()),
            ("pending sends", self.pending.len()),
            ("tickets", self.tickets.len()),
            ("moves", usize::from(self.shard.has_moves())),
        ];
        counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}")).collect()
    }

    /// Workers that have died and run again. It may be one of them itself.
    fn note_reborn(&mut self, me: WorkerIx, view: &Rc<View>, now: Moment) {
        let before = Rc::clone(self.view.as_ref().unwrap_or(view));
        for (other, member) in &view.members {
            let former = self.lives.insert(*other, member.incarnation);
            if former.is_some_and(|former| former != member.incarnation) {
                self.shard.reborn(&member_id(*other), Arc::clone(&before.ring), now);
            }
        }
        if before.members.get(&me).is_some_and(|member| member.incarnation != self.incarnation) {
            self.shard.reborn(&member_id(me), Arc::clone(&before.ring), now);
        }
    }

    /// Says whether it had run out: then the others are to be asked again, by whatever ring.
    fn renew_lease(&mut self, now: Moment) -> bool {
        let had_lapsed = self.shard.is_lapsed(now);
        self.shard.set_valid_until(Some(now + Duration::from_millis(LEASE_MS)));
        if had_lapsed {
            self.shard.unsettle();
        }
        had_lapsed
    }

    fn is_idle(&self) -> bool {
        self.shard.table().is_empty()
            && self.shard.followed() == 0
            && self.opens.is_empty()
            && self.sends.is_empty()
            && self.pending.is_empty()
    }
}

impl World {
    pub(crate) fn begin_worker(&mut self, worker: WorkerIx) {
        let incarnation = self.workers[worker].incarnation + 1;
        let begun = Worker::absent(worker, &self.plan);
        self.workers[worker] = Worker { process: Process::Running, incarnation, ..begun };
        let tick_ms = self.plan.tick_ms;
        self.schedule.after(tick_ms, Event::Tick { worker, incarnation });
    }

    /// A worker's process is over, and everything that it knew.
    pub(crate) fn end_worker(&mut self, worker: WorkerIx) {
        let incarnation = self.workers[worker].incarnation;
        self.workers[worker] = Worker { incarnation, ..Worker::absent(worker, &self.plan) };
    }

    /// A worker that went on after a stop tells the registry that it is there.
    pub(crate) fn register_again(&mut self, worker: WorkerIx) {
        if !self.workers[worker].is_running() {
            return;
        }
        if self.workers[worker].shard.is_lapsed(self.now()) {
            self.workers[worker].is_leased = false;
        }
        let (incarnation, draining) = (self.workers[worker].incarnation, self.workers[worker].is_draining);
        if self.members.get(&worker).is_none_or(|member| member.incarnation != incarnation) {
            self.change_members(worker, Some(Member { incarnation, draining, weight: 1 }));
        } else {
            self.workers[worker].is_leased = true;
        }
    }

    pub(crate) fn worker_sees(&mut self, worker: WorkerIx, view: &Rc<View>) {
        let now = self.now();
        let it = &mut self.workers[worker];
        if !it.is_running() || it.view.as_ref().is_some_and(|shown| shown.revision >= view.revision) {
            return;
        }
        // A view may be older than the end of the lease: it is the registry itself that renews it.
        let is_its_own =
            |member: Option<&Member>| member.is_some_and(|it_is| it_is.incarnation == it.incarnation);
        if is_its_own(view.members.get(&worker)) && is_its_own(self.members.get(&worker)) {
            it.is_leased = true;
            it.renew_lease(now);
        }
        it.note_reborn(worker, view, now);
        let former = it.view.replace(Rc::clone(view));
        self.adopt(worker, former.as_deref(), view);
    }

    fn adopt(&mut self, worker: WorkerIx, former: Option<&View>, view: &Rc<View>) {
        let now = self.now();
        let it = &mut self.workers[worker];
        let before = former.iter().flat_map(|view| view.members.keys());
        let others: BTreeSet<_> =
            view.members.keys().chain(before).filter(|other| **other != worker).collect();
        let mut out = Vec::new();
        let departed: Vec<_> = others.iter().filter(|other| !view.members.contains_key(other)).collect();
        let departed: Vec<_> = departed.into_iter().map(|other| member_id(**other)).collect();
        it.shard.adopt(view.ring.clone(), others.into_iter().map(|other| member_id(*other)), now, &mut out);
        it.shard.departed(departed);
        self.trace.add(now.0, || format!("w{worker} adopts view {} {:?}", view.revision, view.members));
        self.carry_out(worker, out);
        self.homes_see(worker, former, view);
        self.claim_all(worker);
        self.answer_claims(worker);
        self.try_again(worker);
    }

    pub(crate) fn worker_tick(&mut self, worker: WorkerIx, incarnation: u64) {
        if !self.workers[worker].has_time(incarnation) {
            return;
        }
        let now = self.now();
        let moves_max = self.plan.moves_per_tick;
        let is_member = self.members.get(&worker).is_some_and(|member| member.incarnation == incarnation);
        let it = &mut self.workers[worker];
        if is_member
            && it.is_leased
            && it.renew_lease(now)
            && let Some(view) = it.view.clone()
        {
            self.adopt(worker, Some(&view), &view);
        }
        let it = &mut self.workers[worker];
        if !it.shard.orphans_for(now).is_zero() {
            it.doubted_at = Some(now.0);
        }
        let mut out = Vec::new();
        it.shard.expire(now, &mut out);
        if it.shard.has_moves() {
            it.shard.begin_moves(moves_max, now, &mut out);
        }
        self.carry_out(worker, out);
        self.report(worker);
        self.answer_claims(worker);
        self.try_again(worker);
        if !self.leaves_if_drained(worker) {
            let tick_ms = self.plan.tick_ms;
            self.schedule.after(tick_ms, Event::Tick { worker, incarnation });
        }
    }

    fn leaves_if_drained(&mut self, worker: WorkerIx) -> bool {
        let it = &self.workers[worker];
        let is_shown =
            it.view.as_ref().is_some_and(|view| view.members.get(&worker).is_some_and(|me| me.draining));
        if !it.is_draining || !is_shown || !it.is_idle() || self.has_calls(worker) {
            return false;
        }
        self.trace.add(self.schedule.now, || format!("w{worker} has nothing left and ends"));
        for pipe in self.pipes_of(Node::Worker(worker)) {
            self.end_pipe(pipe, Node::Worker(worker));
        }
        self.end_worker(worker);
        self.change_members(worker, None);
        true
    }

    /// Whether somebody waits for this worker's answer, or it waits for somebody's.
    fn has_calls(&self, worker: WorkerIx) -> bool {
        let is_its =
            |call: &Call| call.to == worker && call.has_arrived || call.from.worker() == Some(worker);
        self.calls.values().any(is_its)
    }

    pub(crate) fn link_made(&mut self, worker: WorkerIx, pipe: PipeIx) {
        self.workers[worker].pipes.insert(pipe);
    }

    /// A worker hears that a connection is over.
    pub(crate) fn worker_loses(&mut self, worker: WorkerIx, pipe: PipeIx) {
        if !self.workers[worker].pipes.remove(&pipe) {
            return;
        }
        if let [Node::Gateway(_), _] = self.pipes[pipe].ends {
            let now = self.now();
            self.note_lost_with_link(worker, pipe);
            let it = &mut self.workers[worker];
            it.opens.retain(|open| open.post.pipe != pipe);
            it.shard.link_gone(LinkId(pipe as u64), now);
            self.trace.add(now.0, || format!("w{worker} has lost link {pipe}"));
        } else if self.report_lost(worker, pipe) {
            // Another one is made at the next tick.
        } else if self.workers[worker].claimed.remove(&pipe).is_none() {
            let is_in_order = self.pipes[pipe].flow == Flow::Ended;
            self.claim_lost(worker, pipe, is_in_order);
        }
        self.try_again(worker);
    }

    /// What was sent to clients that do not number is lost, from when the link broke until its worker hears of it.
    fn note_lost_with_link(&mut self, worker: WorkerIx, pipe: PipeIx) {
        let Flow::Broken(at) = self.pipes[pipe].flow else { return };
        let (sessions, _) = self.workers[worker].shard.table().list(&Filter::All, usize::MAX);
        let link = Some(LinkId(pipe as u64));
        for session in
            sessions.iter().filter(|session| session.link == link && session.subprotocol.is_empty())
        {
            self.ledger.disturb_session(session.id, at.saturating_sub(FLIGHT_MS), self.schedule.now);
        }
    }

    /// What waited at a worker that is killed is lost.
    pub(crate) fn note_lost_with_worker(&mut self, worker: WorkerIx) {
        let now = self.schedule.now;
        for (session, _) in self.workers[worker].shard.table().ids() {
            self.ledger.disturb_session(session, now.saturating_sub(LOST_MS), now);
        }
    }

    pub(crate) fn worker_reads(&mut self, worker: WorkerIx, pipe: PipeIx, frame: Frame) {
        let now = self.now();
        let mut out = Vec::new();
        let at = |channel: u64| Address { link: LinkId(pipe as u64), channel: Channel(channel) };
        let it = &mut self.workers[worker];
        match frame {
            Frame::Open { channel, client, session, asked } => {
                let open = WaitingOpen { post: Post { pipe, channel }, client, session, asked };
                self.asked_to_open(worker, open);
            }
            Frame::Message { channel, said: Said::Ack(offset) } => {
                _ = it.shard.acknowledge(at(channel), offset, &mut out);
            }
            Frame::Message { channel, said: Said::Message(number) } => {
                // A worker whose lease has run out acts for nobody.
                let session = it.shard.table().id_at(at(channel)).filter(|_| !it.shard.is_lapsed(now));
                if let Some(session) = session {
                    self.ledger.said_arrives(session, number);
                }
            }
            Frame::Written { channel, bytes } => {
                it.shard.written(LinkId(pipe as u64), [(Channel(channel), bytes)], &mut out);
            }
            Frame::Gone { channel, may_resume } => {
                it.opens.retain(|open| open.post != Post { pipe, channel });
                it.shard.gone(at(channel), may_resume, now, &mut out);
            }
            Frame::Detach { channel } => _ = it.shard.detach(at(channel), now, &mut out),
            Frame::Arrived { channel } => it.shard.arrived(at(channel), now, &mut out),
            Frame::Report(report) => self.home_reads(worker, pipe, &report),
            Frame::ReportTaken { sequence } => self.report_taken(worker, pipe, sequence),
            claim => self.claim_reads(worker, pipe, claim),
        }
        self.carry_out(worker, out);
        self.try_again(worker);
    }

    /// Tries again what waits for others.
    pub(crate) fn try_again(&mut self, worker: WorkerIx) {
        if !self.workers[worker].opens.is_empty() {
            self.try_opens(worker);
        }
        if !self.workers[worker].sends.is_empty() {
            self.try_sends(worker);
        }
    }

    pub(crate) fn carry_out(&mut self, worker: WorkerIx, directives: Vec<Directive>) {
        for directive in directives {
            self.trace.add(self.schedule.now, || format!("w{worker} : {directive:?}"));
            self.carry_out_one(worker, directive);
        }
    }

    fn carry_out_one(&mut self, worker: WorkerIx, directive: Directive) {
        match directive {
            Directive::Deliver { link, channels, offsets, payload } => {
                self.tell(worker, link, Frame::Deliver { channels, offsets, payload });
            }
            Directive::Close { address, code, .. } => {
                self.tell(worker, address.link, Frame::Close { channel: address.channel.0, code });
            }
            Directive::Move { link, channels } => self.tell(worker, link, Frame::Move { channels }),
            Directive::Detached { address, state } => {
                self.tell(worker, address.link, Frame::Detached { channel: address.channel.0, state });
            }
            Directive::Checkpoint { address, state } => {
                self.tell(worker, address.link, Frame::Checkpoint { channel: address.channel.0, state });
            }
            Directive::HandOver { to, state, resumable_for } => {
                let why = Why::HandOver { state: state.clone(), resumable_for };
                let incarnation = self.workers[worker].incarnation;
                let from = Caller::Worker { worker, incarnation, why };
                self.call(from, worker_of(&to), Request::Adopt { state, resumable_for });
            }
            Directive::Hasten { holder, session } => self.hasten_claimed(worker, worker_of(&holder), session),
            Directive::Released { session } => self.release_claimed(worker, session),
            Directive::Settled { ticket, fate } => self.settled(worker, ticket, fate),
            Directive::Expired { session } => self.ledger.expired(session, self.schedule.now),
            // There are no mailboxes here: what is in them cannot be lost by a worker.
            Directive::OpenMailbox(_) | Directive::ReadMailbox { .. } | Directive::Taken { .. } => {}
            Directive::Ended(_)
            | Directive::SessionsChanged(_)
            | Directive::WatchBegan(_)
            | Directive::WatchEnded(_) => {}
            Directive::GroupAppeared(group) => self.group_appeared(worker, &group),
            Directive::GroupVanished(group) => self.group_vanished(worker, &group),
        }
    }

    fn tell(&mut self, worker: WorkerIx, link: LinkId, frame: Frame) {
        self.say(link.0 as PipeIx, Node::Worker(worker), frame);
    }

    /// A link's stream has taken a message.
    pub(crate) fn link_took(&mut self, pipe: PipeIx, payload_bytes: usize, receivers: usize) {
        let Some(Node::Worker(worker)) =
            self.pipes[pipe].ends.into_iter().find(|end| matches!(end, Node::Worker(_)))
        else {
            return;
        };
        if !self.workers[worker].knows_pipe(pipe) {
            return;
        }
        let mut out = Vec::new();
        let bytes = deliver_cost_bytes(payload_bytes, receivers);
        self.workers[worker].shard.taken(LinkId(pipe as u64), bytes, &mut out);
        self.carry_out(worker, out);
    }

    /// Somebody hands a session over that has no gateway.
    fn asked_to_adopt(&mut self, worker: WorkerIx, call: CallId) {
        let now = self.now();
        let Some(Request::Adopt { state, resumable_for }) =
            self.calls.get(&call).map(|call| call.request.clone())
        else {
            return;
        };
        let mut out = Vec::new();
        let session = state.id;
        let was_here = self.workers[worker].shard.table().session(session).is_some();
        let taken = self.workers[worker].shard.take_over(*state, now + resumable_for, now, &mut out);
        self.trace.add(now.0, || format!("w{worker} is asked to adopt: {taken:?}"));
        use ringway_session::{NotOpened, OpenError};
        let answer = match taken {
            Ok(()) | Err(NotOpened::Table(OpenError::InUse)) => Answer::Adopted,
            Err(_) => Answer::Refused,
        };
        if was_here && answer == Answer::Adopted {
            // Of two copies one is outdated, and what it was given is lost.
            self.ledger.disturb_session(session, now.0.saturating_sub(LOST_MS), now.0);
        }
        self.carry_out(worker, out);
        self.answer(call, answer);
        self.try_again(worker);
    }

    /// A session that was handed over is there, or it is here again.
    fn handed_over(&mut self, worker: WorkerIx, why: Why, answer: Answer) {
        let Why::HandOver { state, resumable_for } = why else { return };
        let now: Moment = self.now();
        let mut out = Vec::new();
        let it = &mut self.workers[worker];
        match answer {
            Answer::Adopted => it.shard.handed_over(state.id, now, &mut out),
            _ => it.shard.hand_over_failed(*state, resumable_for, now, &mut out),
        }
        self.carry_out(worker, out);
        self.try_again(worker);
    }
}
