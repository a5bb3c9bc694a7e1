//! Groups and their homes: what a worker reports of its groups, what it knows as a home of those of others, and the sessions
//! that wait until their groups are known. The real halves of `interest` in an imitation of the streams between them.

use std::collections::{BTreeMap, BTreeSet};

use ringway_session::{GroupId, HomeInterest, LocalInterest, Report, SessionId, StreamId};

use super::opens::WaitingOpen;
use crate::client;
use crate::event::{ClientIx, Event, Frame, GroupIx, Node, PipeIx, Post};
use crate::gateway::Seat;
use crate::schedule::Time;
use crate::view::{View, WorkerIx, member_id, ring, worker_of};
use crate::world::World;

/// For how long a session waits at the most until the homes of its groups know of it.
const SETTLE_MAX_MS: u64 = 4_000;

/// For how long a worker that is not in the view any more is sent what goes to many.
const DEPARTED_FOLLOWED_MS: u64 = 5_000;

/// A worker's part in knowing who has members of which group.
pub(crate) struct Homes {
    local: LocalInterest,
    home: HomeInterest,
    /// To each other worker of the view.
    reporters: BTreeMap<WorkerIx, Reporter>,
    /// From others.
    streams: BTreeMap<PipeIx, Stream>,
    last_stream: u64,
    settling: Vec<Settling>,
    /// Homes for which nobody waits, until they have caught up.
    overdue: BTreeSet<WorkerIx>,
    /// Who has left the view, and since when.
    departed: Vec<(WorkerIx, Time)>,
}

#[derive(Debug, Default)]
struct Reporter {
    /// None while the home cannot be reached.
    pipe: Option<PipeIx>,
    /// Whether a report is under way.
    is_under_way: bool,
}

#[derive(Debug)]
struct Stream {
    worker: WorkerIx,
    /// Once it has begun.
    id: Option<StreamId>,
}

/// A session that is open here, and not answered.
#[derive(Debug)]
struct Settling {
    post: Post,
    session: SessionId,
    client: ClientIx,
}

impl Homes {
    pub(super) fn new(worker: WorkerIx) -> Self {
        Homes {
            local: LocalInterest::new(member_id(worker), ring(&[])),
            home: HomeInterest::default(),
            reporters: BTreeMap::new(),
            streams: BTreeMap::new(),
            last_stream: 0,
            settling: Vec::new(),
            overdue: BTreeSet::new(),
            departed: Vec::new(),
        }
    }

    fn note_departed(&mut self, before: Option<&View>, view: &View, now: Time) {
        let is_there = |worker: &WorkerIx| view.members.contains_key(worker);
        self.departed.retain(|(worker, since)| !is_there(worker) && now - since < DEPARTED_FOLLOWED_MS);
        let left = before.iter().flat_map(|before| before.members.keys()).filter(|worker| !is_there(worker));
        self.departed.extend(left.map(|worker| (*worker, now)));
    }

    /// One of those who have left does not answer.
    pub(super) fn forget_departed(&mut self, other: WorkerIx) {
        self.departed.retain(|(worker, _)| *worker != other);
    }

    fn is_settled(&self, groups: &[GroupIx]) -> bool {
        groups.iter().all(|group| self.local.settled(&client::group(*group)))
    }
}

impl World {
    /// A worker sees another view: its groups may have other homes, and other workers may see it.
    pub(super) fn homes_see(&mut self, worker: WorkerIx, before: Option<&View>, view: &View) {
        let now = self.schedule.now;
        let homes = &mut self.workers[worker].homes;
        homes.local.ring_changed(view.ring.clone(), view.members.keys().map(|other| member_id(*other)));
        homes.note_departed(before, view, now);
        homes.overdue.retain(|home| view.members.contains_key(home));
        let gone: Vec<_> =
            homes.reporters.extract_if(.., |home, _| !view.members.contains_key(home)).collect();
        for (_, reporter) in gone {
            self.let_go(worker, reporter.pipe);
        }
        let homes = &mut self.workers[worker].homes;
        for other in view.members.keys().filter(|other| **other != worker) {
            homes.reporters.entry(*other).or_default();
        }
        self.report(worker);
    }

    fn let_go(&mut self, worker: WorkerIx, pipe: Option<PipeIx>) {
        if let Some(pipe) = pipe {
            self.workers[worker].pipes.remove(&pipe);
            self.end_pipe(pipe, Node::Worker(worker));
        }
    }

    pub(super) fn group_appeared(&mut self, worker: WorkerIx, group: &GroupId) {
        self.workers[worker].homes.local.appeared(group);
        self.report(worker);
    }

    pub(super) fn group_vanished(&mut self, worker: WorkerIx, group: &GroupId) {
        let it = &mut self.workers[worker];
        if !it.shard.lingers(group) {
            it.homes.local.vanished(group);
            self.report(worker);
        }
    }

    /// Reports to every home what it does not know, one report at a time, and tries again to reach those that are not reached.
    pub(super) fn report(&mut self, worker: WorkerIx) {
        for home in self.workers[worker].homes.reporters.keys().copied().collect::<Vec<_>>() {
            if let Some(pipe) = self.report_pipe(worker, home) {
                self.report_to(worker, home, pipe);
            }
        }
        self.answer_settled(worker);
    }

    fn report_pipe(&mut self, worker: WorkerIx, home: WorkerIx) -> Option<PipeIx> {
        let (me, them) = (Node::Worker(worker), Node::Worker(home));
        let known = self.workers[worker].homes.reporters.get(&home)?.pipe;
        if known.is_some() || !self.can_reach(me, them) {
            return known;
        }
        let pipe = self.connect(me, them);
        self.workers[worker].pipes.insert(pipe);
        self.workers[home].pipes.insert(pipe);
        let stream = Stream { worker, id: None };
        self.workers[home].homes.streams.insert(pipe, stream);
        let homes = &mut self.workers[worker].homes;
        homes.local.restart(&member_id(home));
        homes.reporters.insert(home, Reporter { pipe: Some(pipe), is_under_way: false });
        Some(pipe)
    }

    fn report_to(&mut self, worker: WorkerIx, home: WorkerIx, pipe: PipeIx) {
        let Homes { local, reporters, .. } = &mut self.workers[worker].homes;
        let Some(reporter) = reporters.get_mut(&home).filter(|reporter| !reporter.is_under_way) else {
            return;
        };
        if let Some(mut report) = local.next_report(&member_id(home)) {
            // The order is chance, and no history may hang on that.
            report.joined.sort_unstable();
            report.left.sort_unstable();
            reporter.is_under_way = true;
            self.say(pipe, Node::Worker(worker), Frame::Report(report));
        }
    }

    /// A report arrives.
    pub(super) fn home_reads(&mut self, home: WorkerIx, pipe: PipeIx, report: &Report) {
        let Homes { home: interest, streams, last_stream, .. } = &mut self.workers[home].homes;
        let Some(stream) = streams.get_mut(&pipe) else { return };
        let worker = member_id(stream.worker);
        let id = *stream.id.get_or_insert_with(|| {
            *last_stream += 1;
            interest.begin(worker.clone(), StreamId(*last_stream));
            StreamId(*last_stream)
        });
        if interest.report(&worker, id, report) {
            self.say(pipe, Node::Worker(home), Frame::ReportTaken { sequence: report.sequence });
        } else {
            streams.remove(&pipe);
            self.let_go(home, Some(pipe));
        }
    }

    /// A home has taken note of a report.
    pub(super) fn report_taken(&mut self, worker: WorkerIx, pipe: PipeIx, sequence: u64) {
        let Homes { local, reporters, overdue, .. } = &mut self.workers[worker].homes;
        let reporter = reporters.iter_mut().find(|(_, reporter)| reporter.pipe == Some(pipe));
        let Some((&home, reporter)) = reporter else { return };
        reporter.is_under_way = false;
        if local.acknowledged(&member_id(home), sequence) {
            overdue.remove(&home);
        }
        self.report(worker);
    }

    /// Whether the connection that is over was one for reports.
    pub(super) fn report_lost(&mut self, worker: WorkerIx, pipe: PipeIx) -> bool {
        let Homes { home, reporters, streams, .. } = &mut self.workers[worker].homes;
        if let Some(stream) = streams.remove(&pipe) {
            if let Some(id) = stream.id {
                home.end(&member_id(stream.worker), id);
            }
            return true;
        }
        let reporter = reporters.values_mut().find(|reporter| reporter.pipe == Some(pipe));
        reporter.map(|reporter| *reporter = Reporter::default()).is_some()
    }

    /// A session is open here: its gateway hears so when the homes of its groups know, or when it has taken too long.
    pub(super) fn answer_when_settled(&mut self, worker: WorkerIx, open: &WaitingOpen, session: SessionId) {
        let (post, client, incarnation) = (open.post, open.client, self.workers[worker].incarnation);
        self.workers[worker].homes.settling.push(Settling { post, session, client });
        self.schedule.after(SETTLE_MAX_MS, Event::Known { worker, incarnation, post });
        self.answer_settled(worker);
    }

    fn answer_settled(&mut self, worker: WorkerIx) {
        let is_waited_for = self.home_protections.settling;
        let (clients, homes) = (&self.clients, &mut self.workers[worker].homes);
        if homes.settling.is_empty() {
            return;
        }
        let all = std::mem::take(&mut homes.settling);
        let is_settled = |it: &Settling| !is_waited_for || homes.is_settled(&clients[it.client].groups);
        let (settled, waiting) = all.into_iter().partition(is_settled);
        homes.settling = waiting;
        for it in settled {
            self.answer_open(worker, &it);
        }
    }

    /// It has taken too long: from now on nobody waits for the homes that are behind.
    pub(crate) fn settle_late(&mut self, worker: WorkerIx, incarnation: u64, post: Post) {
        let it = &mut self.workers[worker];
        if it.incarnation != incarnation || !it.homes.settling.iter().any(|it| it.post == post) {
            return;
        }
        let mut behind = it.homes.local.give_up_waiting();
        behind.sort_unstable();
        it.homes.overdue.extend(behind.iter().map(worker_of));
        self.trace.add(self.schedule.now, || format!("w{worker} waits no longer for {behind:?}"));
        self.answer_settled(worker);
    }

    fn answer_open(&mut self, worker: WorkerIx, settled: &Settling) {
        if !self.workers[worker].homes.overdue.is_empty() {
            self.ledger.unsettled.insert(settled.client);
        }
        self.ledger.found(settled.client, self.schedule.now);
        self.session_known(worker, settled.post, settled.session);
    }

    /// A worker has died, or its lease is over: what it has, and what is on its way from there or to there, is known to nobody until
    /// gateways have brought it elsewhere.
    pub(crate) fn note_forsaken(&mut self, worker: WorkerIx) {
        let (now, shard) = (self.schedule.now, &self.workers[worker].shard);
        let here = shard.table().ids().map(|(session, _)| session);
        let of_others = (0..self.workers.len()).flat_map(|other| shard.held_for(&member_id(other)));
        let seats = self.gateways.iter().flat_map(|gateway| gateway.seats.values());
        let asks_here = |seat: &&Seat| {
            let post = seat.relay.waits_for();
            post.is_some_and(|post| self.pipes[post.pipe].ends.contains(&Node::Worker(worker)))
        };
        let asked = seats.filter(asks_here).map(|seat| seat.session);
        for session in here.chain(of_others.map(|held| held.id)).chain(asked) {
            self.ledger.forsaken(session, now);
        }
    }

    /// The other workers that a group's message goes to by its home's view.
    pub(super) fn audience(&self, home: WorkerIx, group: GroupIx) -> BTreeSet<WorkerIx> {
        let it = &self.workers[home];
        let Some(view) = &it.view else { return BTreeSet::new() };
        let others: Vec<_> =
            view.members.keys().filter(|other| **other != home).map(|other| member_id(*other)).collect();
        let group = client::group(group);
        let audience = it.homes.home.audience(&group, view.ring.version(), &others);
        let counts = |other: &WorkerIx| {
            self.home_protections.unreported || it.homes.home.has_reported(&member_id(*other), &group)
        };
        audience.into_iter().map(worker_of).filter(counts).collect()
    }

    /// Those who have left the view lately: one that is only cut off may still have sessions.
    pub(super) fn departed(&mut self, worker: WorkerIx) -> BTreeSet<WorkerIx> {
        let now = self.schedule.now;
        let departed = &self.workers[worker].homes.departed;
        let lately = departed.iter().filter(|(_, since)| now - since < DEPARTED_FOLLOWED_MS);
        lately.map(|(other, _)| *other).collect()
    }
}
