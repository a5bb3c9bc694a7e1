//! What happens to a cluster: changes that somebody planned, and what goes wrong.

use crate::event::{ClientIx, Event, Node, SocketIx};
use crate::plan::{LEASE_MS, Nature};
use crate::view::{Member, WorkerIx};
use crate::worker::Process;
use crate::world::World;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    Join,
    Drain,
    Weigh,
    /// A worker's process is killed.
    Crash,
    /// A worker gets no time for longer than its lease.
    Stop,
    BreakLink,
    Cut,
    Heal(Node, Node),
    BreakSocket,
    /// A client says goodbye, and comes back as somebody new.
    Leave,
    CrashGateway,
    Restart(WorkerIx),
    RestartGateway(usize),
    /// The registry has not heard of a worker for too long.
    Forget(WorkerIx, u64),
}

impl World {
    /// Draws what happens in this history.
    pub(crate) fn plan_happenings(&mut self) {
        let planned = [Happening::Join, Happening::Drain, Happening::Weigh];
        let faults = [
            Happening::Crash,
            Happening::Stop,
            Happening::BreakLink,
            Happening::BreakLink,
            Happening::Cut,
            Happening::BreakSocket,
            Happening::BreakSocket,
            Happening::BreakSocket,
            Happening::CrashGateway,
        ];
        let begin = 1_500;
        for _ in 0..self.plan.changes {
            let at = begin + self.random.below(self.plan.active_ms - begin);
            let happening = *self.random.pick(&planned);
            self.schedule.at(at, Event::Happening(happening));
        }
        for _ in 0..self.random.index(2 * self.plan.clients) {
            let at = begin + self.random.below(self.plan.active_ms - begin);
            self.schedule.at(at, Event::Happening(Happening::Leave));
        }
        if self.plan.nature == Nature::Planned {
            for _ in 0..self.random.index(4) {
                let at = begin + self.random.below(self.plan.active_ms - begin);
                self.schedule.at(at, Event::Happening(Happening::BreakSocket));
            }
        } else {
            for _ in 0..1 + self.random.index(4) {
                let at = begin + self.random.below(self.plan.active_ms - begin);
                let happening = *self.random.pick(&faults);
                self.schedule.at(at, Event::Happening(happening));
            }
        }
    }

    pub(crate) fn happen(&mut self, happening: Happening) {
        self.trace.add(self.schedule.now, || format!("=== {happening:?}"));
        match happening {
            Happening::Join => self.join_worker(),
            Happening::Drain => self.drain_worker(),
            Happening::Weigh => self.weigh_worker(),
            Happening::Crash => self.crash_worker(),
            Happening::Stop => self.stop_worker(),
            Happening::BreakLink => self.break_link(),
            Happening::Cut => self.cut(),
            Happening::Heal(a, b) => _ = self.cuts.remove(&(a, b)),
            Happening::BreakSocket => self.break_some_socket(),
            Happening::Leave => self.some_client_leaves(),
            Happening::CrashGateway => self.crash_gateway(),
            Happening::Restart(worker) => self.start_worker(worker),
            Happening::RestartGateway(gateway) => self.gateways[gateway].is_running = true,
            Happening::Forget(worker, incarnation) => {
                if self.members.get(&worker).is_some_and(|member| member.incarnation == incarnation)
                    && !self.workers[worker].has_time(incarnation)
                {
                    self.note_forsaken(worker);
                    self.change_members(worker, None);
                }
            }
        }
    }

    fn join_worker(&mut self) {
        let free = |worker: &usize| self.workers[*worker].process == Process::Absent;
        if let Some(worker) = (0..self.workers.len()).find(free) {
            self.start_worker(worker);
        }
    }

    /// Starts a worker's process under a new incarnation.
    pub(crate) fn start_worker(&mut self, worker: WorkerIx) {
        if self.workers[worker].is_running() {
            return;
        }
        self.begin_worker(worker);
        let incarnation = self.workers[worker].incarnation;
        self.change_members(worker, Some(Member { incarnation, draining: false, weight: 1 }));
    }

    /// Whether no worker may be taken away.
    fn has_too_few(&self) -> bool {
        let active = self.active_workers();
        active.iter().filter(|worker| self.workers[**worker].is_running()).count() < 2
    }

    fn active_workers(&self) -> Vec<WorkerIx> {
        let is_active = |(_, member): &(&usize, &Member)| !member.draining;
        self.members.iter().filter(is_active).map(|(worker, _)| *worker).collect()
    }

    fn drain_worker(&mut self) {
        let active = self.active_workers();
        if self.has_too_few() {
            return;
        }
        let worker = *self.random.pick(&active);
        if let Some(&member) = self.members.get(&worker)
            && self.workers[worker].has_time(member.incarnation)
        {
            self.workers[worker].is_draining = true;
            self.change_members(worker, Some(Member { draining: true, ..member }));
        }
    }

    fn weigh_worker(&mut self) {
        // Of one worker only: there are few rings then.
        if let Some(&member) = self.members.get(&0)
            && !member.draining
        {
            let weight = if member.weight == 1 { 2 } else { 1 };
            self.change_members(0, Some(Member { weight, ..member }));
        }
    }

    fn crash_worker(&mut self) {
        let running: Vec<_> =
            (0..self.workers.len()).filter(|worker| self.workers[*worker].is_running()).collect();
        if self.has_too_few() || running.len() < 2 {
            return;
        }
        let worker = *self.random.pick(&running);
        let incarnation = self.workers[worker].incarnation;
        self.trace.add(self.schedule.now, || format!("w{worker} is killed"));
        self.note_lost_with_worker(worker);
        self.note_forsaken(worker);
        self.end_worker(worker);
        for pipe in self.pipes_of(Node::Worker(worker)) {
            self.break_pipe(pipe);
        }
        self.lose_calls_of(worker);
        if self.random.chance(50) {
            let delay_ms = 100 + self.random.below(3_000);
            self.schedule.after(delay_ms, Event::Happening(Happening::Restart(worker)));
        }
        self.schedule.after(LEASE_MS, Event::Happening(Happening::Forget(worker, incarnation)));
    }

    fn stop_worker(&mut self) {
        let running: Vec<_> =
            (0..self.workers.len()).filter(|worker| self.workers[*worker].is_running()).collect();
        if self.has_too_few() || running.is_empty() {
            return;
        }
        let worker = *self.random.pick(&running);
        if self.workers[worker].is_stopped {
            return;
        }
        self.trace.add(self.schedule.now, || format!("w{worker} stops"));
        let stop_ms = LEASE_MS / 2 + self.random.below(2 * LEASE_MS);
        self.workers[worker].is_stopped = true;
        let incarnation = self.workers[worker].incarnation;
        self.schedule.after(LEASE_MS, Event::Happening(Happening::Forget(worker, incarnation)));
        self.schedule.after(stop_ms, Event::GoOn { worker });
        for pipe in self.pipes_of(Node::Worker(worker)) {
            if self.random.chance(30) {
                self.break_pipe(pipe);
            }
        }
    }

    fn break_link(&mut self) {
        let open: Vec<_> =
            (0..self.gateways.len()).flat_map(|gateway| self.pipes_of(Node::Gateway(gateway))).collect();
        if !open.is_empty() {
            let pipe = *self.random.pick(&open);
            self.break_pipe(pipe);
        }
    }

    fn cut(&mut self) {
        let workers = (0..self.workers.len()).map(Node::Worker);
        let nodes: Vec<_> = workers.chain((0..self.gateways.len()).map(Node::Gateway)).collect();
        let a = Node::Worker(self.random.index(self.workers.len()));
        let b = *self.random.pick(&nodes);
        if a == b {
            return;
        }
        let pair = (a.min(b), a.max(b));
        self.trace.add(self.schedule.now, || format!("{pair:?} cannot reach each other"));
        self.cuts.insert(pair);
        for pipe in self
            .pipes_of(a)
            .into_iter()
            .filter(|pipe| self.pipes[*pipe].ends.contains(&b))
            .collect::<Vec<_>>()
        {
            self.break_pipe(pipe);
        }
        self.lose_calls_between(a, b);
        let cut_ms = 200 + self.random.below(5_000);
        self.schedule.after(cut_ms, Event::Happening(Happening::Heal(pair.0, pair.1)));
    }

    /// Also one that its client still waits for. What is planned breaks only sockets of those who lose nothing by it.
    fn break_some_socket(&mut self) {
        let is_planned = self.plan.nature == Nature::Planned;
        let clients = self.clients.iter().filter(|client| client.can_resume() || !is_planned);
        let open: Vec<SocketIx> = clients.filter_map(|client| client.socket.or(client.trying())).collect();
        if !open.is_empty() {
            let socket = *self.random.pick(&open);
            self.break_socket(socket);
        }
    }

    fn some_client_leaves(&mut self) {
        let is_present = |client: &ClientIx| {
            self.clients[*client].socket.is_some_and(|socket| self.sockets[socket].is_open)
        };
        let present: Vec<_> = (0..self.clients.len()).filter(is_present).collect();
        if !present.is_empty() {
            let client = *self.random.pick(&present);
            self.client_leaves(client);
        }
    }

    fn crash_gateway(&mut self) {
        let gateway = self.random.index(self.gateways.len());
        if !self.gateways[gateway].is_running {
            return;
        }
        self.trace.add(self.schedule.now, || format!("g{gateway} is killed"));
        self.end_gateway(gateway);
        let restart_ms = 500 + self.random.below(2_000);
        self.schedule.after(restart_ms, Event::Happening(Happening::RestartGateway(gateway)));
    }
}
