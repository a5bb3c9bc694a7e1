//! A cluster with its clients and senders, and the loop that lets one thing happen after another.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ringway_session::{Moment, SessionState};

use crate::client::{Client, Socket};
use crate::event::{Call, CallId, Event, Node};
use crate::gateway::Gateway;
use crate::ledger::{Ledger, Violation};
use crate::network::Pipe;
use crate::plan::Plan;
use crate::random::Random;
use crate::schedule::{Schedule, Time};
use crate::sender::Sender;
use crate::trace::Trace;
use crate::view::{Member, View, WorkerIx};
use crate::worker::Worker;
use crate::{GatewayProtections, History, HomeProtections, Summary};

/// Everything there is.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) gateway_protections: GatewayProtections,
    pub(crate) home_protections: HomeProtections,
    pub(crate) random: Random,
    pub(crate) schedule: Schedule<Event>,
    pub(crate) trace: Trace,
    pub(crate) ledger: Ledger,
    pub(crate) members: BTreeMap<WorkerIx, Member>,
    pub(crate) revision: u64,
    pub(crate) newest: Rc<View>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) clients: Vec<Client>,
    pub(crate) sockets: Vec<Socket>,
    pub(crate) senders: Vec<Sender>,
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) cuts: BTreeSet<(Node, Node)>,
    pub(crate) calls: BTreeMap<CallId, Call>,
    pub(crate) last_call: CallId,
    pub(crate) last_session: u64,
    /// What gateways keep of sessions.
    pub(crate) states: Vec<SessionState>,
    /// Whether all clients are to leave.
    pub(crate) is_over: bool,
}

impl World {
    pub(crate) fn new(history: &History, is_told: bool) -> Self {
        let mut random = Random::new(history.seed);
        let plan = Plan::draw(&mut random, history.nature, history.protections);
        let newest = View::new(0, BTreeMap::new());
        let mut world = World {
            gateway_protections: history.gateway,
            home_protections: history.homes,
            schedule: Schedule::new(),
            trace: Trace::new(is_told),
            ledger: Ledger::default(),
            members: BTreeMap::new(),
            revision: 0,
            workers: (0..plan.workers_max).map(|worker| Worker::absent(worker, &plan)).collect(),
            gateways: (0..2).map(|_| Gateway::new(&newest)).collect(),
            clients: Vec::new(),
            sockets: Vec::new(),
            senders: Vec::new(),
            pipes: Vec::new(),
            cuts: BTreeSet::new(),
            calls: BTreeMap::new(),
            last_call: 0,
            last_session: 0,
            states: Vec::new(),
            is_over: false,
            newest,
            random,
            plan,
        };
        world.trace.add(0, || format!("{:#?}", world.plan));
        world.begin();
        world
    }

    fn begin(&mut self) {
        for worker in 0..self.plan.workers {
            self.start_worker(worker);
        }
        self.make_clients();
        self.make_senders();
        self.plan_happenings();
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(self.schedule.now)
    }

    /// Whether things still happen, or the cluster is left alone to come to rest.
    pub(crate) fn is_active(&self) -> bool {
        self.schedule.now < self.plan.active_ms
    }

    pub(crate) fn run(mut self) -> Result<Summary, Violation> {
        self.live();
        self.conclude()
    }

    pub(crate) fn run_and_tell(mut self) -> (Result<Summary, Violation>, Vec<String>) {
        self.live();
        let lines = std::mem::take(&mut self.trace).into_lines();
        (self.conclude(), lines)
    }

    fn live(&mut self) {
        let rest = self.plan.active_ms + self.plan.settle_ms;
        self.until(self.plan.active_ms);
        self.heal();
        self.until(rest);
        self.check_rest();
        self.is_over = true;
        self.clients_leave();
        self.until(rest + 12_000);
        self.check_empty();
        self.check_messages();
    }

    fn until(&mut self, end: Time) {
        while self.ledger.violation.is_none()
            && let Some(event) = self.schedule.next(end)
        {
            if let Some(worker) = self.whose(&event)
                && self.workers[worker].is_stopped
            {
                self.workers[worker].backlog.push(event);
                continue;
            }
            self.dispatch(event);
        }
    }

    fn conclude(self) -> Result<Summary, Violation> {
        let summary = self.summary();
        self.ledger.violation.map_or(Ok(summary), Err)
    }

    /// Nothing is broken any more.
    fn heal(&mut self) {
        self.cuts.clear();
        for gateway in &mut self.gateways {
            gateway.is_running = true;
        }
    }

    /// The worker that an event is for.
    fn whose(&self, event: &Event) -> Option<WorkerIx> {
        let of = |node: &Node| match node {
            Node::Worker(worker) => Some(*worker),
            Node::Gateway(_) | Node::Sender(_) => None,
        };
        match event {
            Event::View { node, .. } => of(node),
            Event::Frame { to, .. } | Event::PipeGone { to, .. } => of(to),
            Event::Request(call) => self.calls.get(call).map(|call| call.to),
            Event::Answer { call, .. } => self.calls.get(call).and_then(|call| call.from.worker()),
            Event::Tick { worker, .. }
            | Event::ClaimDue { worker, .. }
            | Event::SendLate { worker, .. }
            | Event::Pursue { worker, .. }
            | Event::OpenLate { worker, .. }
            | Event::Known { worker, .. } => Some(*worker),
            _ => None,
        }
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::View { node, view } => self.view_arrives(node, view),
            Event::Happening(happening) => self.happen(happening),
            Event::Frame { pipe, to, frame } => {
                if self.arrives(pipe) {
                    self.frame_arrives(pipe, to, *frame);
                }
            }
            Event::PipeGone { pipe, to } => match to {
                Node::Worker(worker) => self.worker_loses(worker, pipe),
                Node::Gateway(gateway) => self.gateway_loses(gateway, pipe),
                Node::Sender(_) => {}
            },
            Event::Request(call) => self.request_arrives(call),
            Event::Answer { call, answer } => self.answer_arrives(call, answer),
            Event::Tick { worker, incarnation } => self.worker_tick(worker, incarnation),
            Event::ClaimDue { worker, incarnation, claim } => self.claim_due(worker, incarnation, claim),
            Event::SendLate { worker, incarnation, call } => self.send_late(worker, incarnation, call),
            Event::Pursue { worker, incarnation, call } => self.pursue(worker, incarnation, call),
            Event::OpenLate { worker, incarnation, post } => self.open_late(worker, incarnation, post),
            Event::Seek { socket } => self.seek(socket),
            Event::Known { worker, incarnation, post } => self.settle_late(worker, incarnation, post),
            Event::HomelessLate { socket, since } => self.homeless_late(socket, since),
            Event::ToClient { socket, payload } => self.client_receives(socket, &payload),
            Event::FromClient { socket, said } => self.gateway_reads(socket, said),
            Event::SocketClosed { socket, code } => self.client_closed(socket, code),
            Event::SocketGone { socket } => self.gateway_loses_socket(socket),
            Event::Goodbye { socket } => self.client_said_goodbye(socket),
            Event::SocketOpen { socket } => self.client_opened(socket),
            Event::ClientTurn(client) => self.client_turn(client),
            Event::SenderTurn(sender) => self.sender_turn(sender),
            Event::LetGo { pipe, by } => self.end_pipe(pipe, by),
            Event::GoOn { worker } => self.go_on(worker),
        }
    }

    fn frame_arrives(&mut self, pipe: usize, to: Node, frame: crate::event::Frame) {
        match to {
            Node::Worker(worker) if self.workers[worker].knows_pipe(pipe) => {
                self.trace.add(self.schedule.now, || format!("w{worker} <-{pipe}- {frame:?}"));
                self.worker_reads(worker, pipe, frame);
            }
            Node::Gateway(gateway) if self.gateways[gateway].is_running => {
                self.trace.add(self.schedule.now, || format!("g{gateway} <-{pipe}- {frame:?}"));
                self.gateway_hears(gateway, pipe, frame);
            }
            _ => {}
        }
    }

    fn go_on(&mut self, worker: WorkerIx) {
        if !std::mem::take(&mut self.workers[worker].is_stopped) {
            return;
        }
        self.trace.add(self.schedule.now, || format!("w{worker} goes on"));
        for event in std::mem::take(&mut self.workers[worker].backlog) {
            self.dispatch(event);
        }
        self.register_again(worker);
    }
}
