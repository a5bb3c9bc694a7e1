//! What a new owner asks the others, and what is answered.

use std::collections::BTreeSet;
use std::time::Duration;

use ringway_ring::RingVersion;
use ringway_session::{SessionId, Shard};

use crate::event::{Event, Frame, Node, PipeIx};
use crate::plan::{CLAIM_DEADLINE_MS, LOST_MS, Nature};
use crate::schedule::Time;
use crate::view::{WorkerIx, member_id, worker_of};
use crate::worker::Worker;
use crate::world::World;

/// After what time an owner tries again to reach somebody.
const RETRY_MS: u64 = 100;

/// For how long a claim that was given up may seem to be one.
const IN_VAIN_MAX_MS: u64 = 2_000;

/// What a worker has asked another one.
#[derive(Debug)]
pub(crate) struct Claim {
    number: u64,
    /// None while the other one cannot be reached.
    pipe: Option<PipeIx>,
    unreached_since: Time,
    is_noted: bool,
    is_answered: bool,
}

/// What another worker has asked this one.
#[derive(Debug)]
pub(crate) struct Claimed {
    claimant: WorkerIx,
    /// Which of its lives.
    incarnation: u64,
    version: RingVersion,
    /// What it is to expect, once it was answered.
    listed: Option<BTreeSet<SessionId>>,
    /// Whether it was answered while this worker might not act, with everything that it has.
    is_guess: bool,
}

impl World {
    /// Asks everybody what they hold, by the present ring.
    pub(super) fn claim_all(&mut self, worker: WorkerIx) {
        let former = std::mem::take(&mut self.workers[worker].claims);
        for pipe in former.into_values().filter_map(|claim| claim.pipe) {
            self.workers[worker].pipes.remove(&pipe);
            self.end_pipe(pipe, Node::Worker(worker));
        }
        let others: BTreeSet<WorkerIx> = self.workers[worker].shard.unheard().map(worker_of).collect();
        for other in others {
            let number = self.schedule.planned();
            let claim = Claim {
                number,
                pipe: None,
                unreached_since: self.schedule.now,
                is_noted: false,
                is_answered: false,
            };
            self.workers[worker].claims.insert(other, claim);
            self.claim(worker, other);
        }
    }

    fn claim(&mut self, worker: WorkerIx, other: WorkerIx) {
        let life = self.workers[worker].lives.get(&other);
        if self.workers[other].is_running()
            && life.is_some_and(|life| *life != self.workers[other].incarnation)
        {
            return self.give_up_claim(worker, other);
        }
        let (me, them) = (Node::Worker(worker), Node::Worker(other));
        if self.can_reach(me, them) {
            if self.plan.nature == Nature::Faulty && self.random.below(100) < self.plan.doubled_claims {
                self.claim_in_vain(worker, other);
            }
            let pipe = self.begin_claim(worker, other);
            self.workers[worker].pipes.insert(pipe);
            if let Some(claim) = self.workers[worker].claims.get_mut(&other) {
                claim.pipe = Some(pipe);
            }
        }
        let incarnation = self.workers[worker].incarnation;
        if let Some(claim) = self.workers[worker].claims.get(&other) {
            let event = Event::ClaimDue { worker, incarnation, claim: claim.number };
            self.schedule.after(RETRY_MS, event);
        }
    }

    fn begin_claim(&mut self, worker: WorkerIx, other: WorkerIx) -> PipeIx {
        let pipe = self.connect(Node::Worker(worker), Node::Worker(other));
        self.workers[other].pipes.insert(pipe);
        let Worker { incarnation, shard, .. } = &self.workers[worker];
        let (incarnation, version) = (*incarnation, shard.ring_version());
        self.say(pipe, Node::Worker(worker), Frame::Claim { incarnation, version });
        pipe
    }

    /// A claim that its claimant gives up, to make it again: the other one may still take it for one that counts.
    fn claim_in_vain(&mut self, worker: WorkerIx, other: WorkerIx) {
        let pipe = self.begin_claim(worker, other);
        let delay_ms = self.random.below(IN_VAIN_MAX_MS);
        self.schedule.after(delay_ms, Event::LetGo { pipe, by: Node::Worker(worker) });
    }

    /// Looks after a claim that was not noted.
    pub(crate) fn claim_due(&mut self, worker: WorkerIx, incarnation: u64, number: u64) {
        if self.workers[worker].incarnation != incarnation {
            return;
        }
        let now = self.schedule.now;
        let found = self.workers[worker].claims.iter().find(|(_, claim)| claim.number == number);
        let Some((&other, claim)) = found.filter(|(_, claim)| !claim.is_noted) else { return };
        if now - claim.unreached_since >= CLAIM_DEADLINE_MS || self.has_gone(worker, other) {
            self.give_up_claim(worker, other);
        } else if claim.pipe.is_none() {
            self.claim(worker, other);
        } else {
            self.schedule.after(RETRY_MS, Event::ClaimDue { worker, incarnation, claim: number });
        }
    }

    /// Whether another worker is in the present view no more, and its process is not there.
    fn has_gone(&self, worker: WorkerIx, other: WorkerIx) -> bool {
        let is_member = |view: &std::rc::Rc<crate::view::View>| view.members.contains_key(&other);
        !self.workers[worker].view.as_ref().is_some_and(is_member) && !self.workers[other].is_running()
    }

    fn give_up_claim(&mut self, worker: WorkerIx, other: WorkerIx) {
        let now = self.now();
        if let Some(claim) = self.workers[worker].claims.remove(&other)
            && let Some(pipe) = claim.pipe
        {
            self.workers[worker].pipes.remove(&pipe);
            self.end_pipe(pipe, Node::Worker(worker));
        }
        self.trace.add(now.0, || format!("w{worker} takes w{other} for lost"));
        self.workers[worker].shard.lost(&member_id(other), now);
        self.try_again(worker);
    }

    /// The stream of a claim is over.
    pub(super) fn claim_lost(&mut self, worker: WorkerIx, pipe: PipeIx, is_in_order: bool) {
        let found = self.workers[worker].claims.iter_mut().find(|(_, claim)| claim.pipe == Some(pipe));
        let Some((&other, claim)) = found else { return };
        match (claim.is_answered, is_in_order) {
            (true, true) => _ = self.workers[worker].claims.remove(&other),
            // Whoever ends in order without an answer has nothing.
            (false, true) => {
                self.workers[worker].claims.remove(&other);
                let mut out = Vec::new();
                let now = self.now();
                self.workers[worker].shard.heard(&member_id(other), Duration::ZERO, now, &mut out);
                self.carry_out(worker, out);
            }
            (true, false) => self.give_up_claim(worker, other),
            (false, false) => {
                (claim.pipe, claim.is_noted, claim.unreached_since) = (None, false, self.schedule.now);
                self.claim(worker, other);
            }
        }
    }

    pub(super) fn claim_reads(&mut self, worker: WorkerIx, pipe: PipeIx, frame: Frame) {
        let (mut out, now) = (Vec::new(), self.now());
        let holder = worker_of_end(self.pipes[pipe].other(Node::Worker(worker)));
        let it = &mut self.workers[worker];
        match frame {
            Frame::Claim { incarnation, version } => {
                let (claimant, listed) = (holder, None);
                it.claimed.insert(pipe, Claimed { claimant, incarnation, version, listed, is_guess: false });
                self.say(pipe, Node::Worker(worker), Frame::Noted);
                self.answer_claims(worker);
            }
            Frame::Hasten { session } => {
                if let Some((state, resumable_for)) = it.shard.surrender(session, now, &mut out) {
                    let state = Box::new(state);
                    self.say(pipe, Node::Worker(worker), Frame::Surrendered { state, resumable_for });
                } else {
                    it.shard.hasten(&[session]);
                }
            }
            Frame::Noted => {
                if let Some(claim) = it.claims.get_mut(&holder) {
                    claim.is_noted = true;
                }
            }
            Frame::Holding { sessions, orphans_for } => {
                if let Some(claim) = it.claims.get_mut(&holder) {
                    claim.is_answered = true;
                    let ids: Vec<SessionId> = sessions.iter().map(|held| held.id).collect();
                    let here = |shard: &Shard, id: &SessionId| shard.table().session(*id).is_some();
                    let copies: Vec<_> = ids.iter().filter(|id| here(&it.shard, id)).collect();
                    it.shard.holding(&member_id(holder), &sessions, &mut out);
                    // What an outdated copy was given is lost with it.
                    for id in copies.into_iter().filter(|id| !here(&it.shard, id)) {
                        self.ledger.disturb_session(*id, now.0.saturating_sub(LOST_MS), now.0);
                    }
                    it.shard.heard(&member_id(holder), orphans_for, now, &mut out);
                    // Of one that has lapsed, it may be that nothing of what it holds is ours.
                    if !ids.is_empty() && !ids.iter().any(|id| it.shard.expects(*id)) {
                        it.claims.remove(&holder);
                        it.pipes.remove(&pipe);
                        self.end_pipe(pipe, Node::Worker(worker));
                    }
                }
            }
            Frame::Surrendered { state, resumable_for } => {
                // If it is not taken it is lost: a fault that the checks excuse.
                let _ = it.shard.take_over(*state, now + resumable_for, now, &mut out);
            }
            Frame::Released { session } => it.shard.released(&member_id(holder), &[session], now, &mut out),
            _ => {}
        }
        self.carry_out(worker, out);
    }

    /// Answers those who act by the same ring; and everybody, if this worker may not act by its own any more.
    pub(super) fn answer_claims(&mut self, worker: WorkerIx) {
        let now = self.now();
        let it = &mut self.workers[worker];
        let (version, is_lapsed) = (it.shard.ring_version(), it.shard.is_lapsed(now));
        let (mut answers, lives) = (Vec::new(), &it.lives);
        let is_known = |claimed: &Claimed| {
            claimed.version == version && lives.get(&claimed.claimant) == Some(&claimed.incarnation)
        };
        for (pipe, claimed) in &mut it.claimed {
            if claimed.listed.is_some() || !(is_lapsed || is_known(claimed)) {
                continue;
            }
            let held = if is_lapsed {
                it.shard.held_at_all()
            } else {
                it.shard.held_for(&member_id(claimed.claimant))
            };
            claimed.is_guess = is_lapsed;
            claimed.listed = Some(held.iter().map(|held| held.id).collect());
            answers.push((*pipe, held, it.shard.orphans_for(now)));
        }
        // What was listed to be on the safe side, while lapsed, is looked at again by the ring that both act by now.
        let mut seen_again = Vec::new();
        for (pipe, claimed) in
            it.claimed.iter_mut().filter(|(_, claimed)| claimed.is_guess && is_known(claimed) && !is_lapsed)
        {
            claimed.is_guess = false;
            let held = it.shard.held_for(&member_id(claimed.claimant));
            if let Some(listed) = &mut claimed.listed {
                listed.retain(|id| held.iter().any(|held| held.id == *id));
                seen_again.push(*pipe);
            }
        }
        for pipe in seen_again {
            self.end_claim_if_over(worker, pipe);
        }
        for (pipe, sessions, orphans_for) in answers {
            self.say(pipe, Node::Worker(worker), Frame::Holding { sessions, orphans_for });
            self.end_claim_if_over(worker, pipe);
        }
    }

    fn end_claim_if_over(&mut self, worker: WorkerIx, pipe: PipeIx) {
        let it = &mut self.workers[worker];
        let is_over = |claimed: &Claimed| claimed.listed.as_ref().is_some_and(BTreeSet::is_empty);
        if it.claimed.get(&pipe).is_some_and(is_over) {
            it.claimed.remove(&pipe);
            it.pipes.remove(&pipe);
            self.end_pipe(pipe, Node::Worker(worker));
        }
    }

    pub(super) fn release_claimed(&mut self, worker: WorkerIx, session: SessionId) {
        let mut pipes = Vec::new();
        for (pipe, claimed) in &mut self.workers[worker].claimed {
            if claimed.listed.as_mut().is_some_and(|listed| listed.remove(&session)) {
                pipes.push(*pipe);
            }
        }
        for pipe in pipes {
            self.say(pipe, Node::Worker(worker), Frame::Released { session });
            self.end_claim_if_over(worker, pipe);
        }
    }

    pub(super) fn hasten_claimed(&mut self, worker: WorkerIx, holder: WorkerIx, session: SessionId) {
        if let Some(pipe) = self.workers[worker].claims.get(&holder).and_then(|claim| claim.pipe) {
            self.say(pipe, Node::Worker(worker), Frame::Hasten { session });
        }
    }
}

fn worker_of_end(end: Node) -> WorkerIx {
    match end {
        Node::Worker(worker) => worker,
        Node::Gateway(_) | Node::Sender(_) => unreachable!("claims are between workers"),
    }
}
