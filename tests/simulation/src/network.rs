//! Connections and calls. A connection keeps the order of what is said, and breaks as a whole; then what is under way is
//! lost, and each side hears of it in its own time. A call's request and answer are delayed each for itself.

use crate::event::{Answer, Call, CallId, Caller, Event, Frame, Node, PipeIx, Request};
use crate::plan::Nature;
use crate::schedule::Time;
use crate::view::WorkerIx;
use crate::world::World;

/// How long it takes at most until a side hears that a connection has broken.
pub(crate) const HEAR_MAX_MS: u64 = 1_500;

/// How much later than usual a request may come for whose answer nobody waits any more.
const LATE_MAX_MS: u64 = 4_000;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Straight,
    /// It never arrives.
    Lost,
    /// Its caller gives it up, and it is carried out all the same, later.
    Late,
    /// It is carried out again, later.
    Twice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Open,
    /// One side has ended it in order: what it had said still arrives.
    Ended,
    Broken(Time),
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) ends: [Node; 2],
    pub(crate) flow: Flow,
    /// When the last that was said to each end arrives.
    last: [Time; 2],
}

impl Pipe {
    pub(crate) fn other(&self, node: Node) -> Node {
        if self.ends[0] == node { self.ends[1] } else { self.ends[0] }
    }
}

impl World {
    pub(crate) fn delay(&mut self) -> u64 {
        let range = self.plan.delay_ms.clone();
        let delay_ms = self.random.between(&range);
        // Some things take much longer.
        if self.random.below(1_000) < self.plan.straggles { delay_ms * 10 } else { delay_ms }
    }

    pub(crate) fn can_reach(&self, a: Node, b: Node) -> bool {
        !self.cuts.contains(&(a.min(b), a.max(b))) && self.is_running(a) && self.is_running(b)
    }

    fn is_running(&self, node: Node) -> bool {
        match node {
            Node::Worker(worker) => self.workers[worker].is_running(),
            Node::Gateway(gateway) => self.gateways[gateway].is_running,
            Node::Sender(_) => true,
        }
    }

    pub(crate) fn connect(&mut self, from: Node, to: Node) -> PipeIx {
        self.pipes.push(Pipe { ends: [from, to], flow: Flow::Open, last: [0; 2] });
        self.pipes.len() - 1
    }

    /// Says something over a connection. What is said over a broken one is lost, and nobody notices yet.
    pub(crate) fn say(&mut self, pipe: PipeIx, from: Node, frame: Frame) {
        if self.pipes[pipe].flow != Flow::Open {
            return;
        }
        let to = self.pipes[pipe].other(from);
        let at = self.schedule.now + self.delay();
        let at = self.in_order(pipe, to, at);
        self.schedule.at(at, Event::Frame { pipe, to, frame: Box::new(frame) });
    }

    fn in_order(&mut self, pipe: PipeIx, to: Node, at: Time) -> Time {
        let pipe = &mut self.pipes[pipe];
        let last = &mut pipe.last[usize::from(pipe.ends[1] == to)];
        *last = at.max(*last);
        *last
    }

    /// Ends a connection in order: the other side hears of it after everything that was said.
    pub(crate) fn end_pipe(&mut self, pipe: PipeIx, from: Node) {
        if self.pipes[pipe].flow != Flow::Open {
            return;
        }
        self.pipes[pipe].flow = Flow::Ended;
        let to = self.pipes[pipe].other(from);
        let at = self.schedule.now + self.delay();
        let at = self.in_order(pipe, to, at);
        self.schedule.at(at, Event::PipeGone { pipe, to });
    }

    /// Breaks a connection: those of its ends that run hear of it some time.
    pub(crate) fn break_pipe(&mut self, pipe: PipeIx) {
        if matches!(self.pipes[pipe].flow, Flow::Broken(_)) {
            return;
        }
        let was_open = self.pipes[pipe].flow == Flow::Open;
        self.pipes[pipe].flow = Flow::Broken(self.schedule.now);
        if !was_open {
            return;
        }
        let ends = self.pipes[pipe].ends;
        self.trace.add(self.schedule.now, || format!("pipe {pipe} of {ends:?} breaks"));
        for to in ends {
            let delay_ms = self.random.below(HEAR_MAX_MS);
            self.schedule.after(delay_ms, Event::PipeGone { pipe, to });
        }
    }

    pub(crate) fn pipes_of(&self, node: Node) -> Vec<PipeIx> {
        let is_its = |(_, pipe): &(usize, &Pipe)| pipe.ends.contains(&node) && pipe.flow == Flow::Open;
        self.pipes.iter().enumerate().filter(is_its).map(|(pipe, _)| pipe).collect()
    }

    /// Whether what was said over a connection still arrives.
    pub(crate) fn arrives(&self, pipe: PipeIx) -> bool {
        !matches!(self.pipes[pipe].flow, Flow::Broken(_))
    }

    /// Calls a worker.
    pub(crate) fn call(&mut self, from: Caller, to: WorkerIx, request: Request) {
        let at = self.schedule.now + self.delay();
        let is_there = self.workers[to].is_running();
        let is_reached = from.node().is_some_and(|node| self.can_reach(node, Node::Worker(to)));
        let way = if is_reached { self.draw_way(&request) } else { Way::Lost };
        if let (true, Way::Late | Way::Twice) = (is_there, way) {
            self.call_late(to, request.clone());
        }
        let call = self.new_call(from, to, request);
        let event = match (is_there, way) {
            (false, _) => Event::Answer { call, answer: Answer::Refused },
            (true, Way::Lost | Way::Late) => Event::Answer { call, answer: Answer::ConnectionLost },
            (true, Way::Straight | Way::Twice) => Event::Request(call),
        };
        self.schedule.at(at, event);
    }

    /// The same call as another one, made again or delayed on its way. Nobody waits for its answer.
    fn call_late(&mut self, to: WorkerIx, request: Request) {
        let delay_ms = self.delay() + self.random.below(LATE_MAX_MS);
        let call = self.new_call(Caller::Nobody, to, request);
        self.schedule.after(delay_ms, Event::Request(call));
    }

    fn new_call(&mut self, from: Caller, to: WorkerIx, request: Request) -> CallId {
        self.last_call += 1;
        let strayed = Vec::new();
        self.calls.insert(self.last_call, Call { from, to, request, has_arrived: false, strayed });
        self.last_call
    }

    /// What becomes of a request. Who did not get an answer hands a session over once more, so that may be done twice.
    fn draw_way(&mut self, request: &Request) -> Way {
        if !self.loses_call() {
            return Way::Straight;
        }
        match (self.random.below(3), request) {
            (0, _) => Way::Late,
            (1, Request::Adopt { .. }) => Way::Twice,
            _ => Way::Lost,
        }
    }

    /// Answers a call, if its caller still waits.
    pub(crate) fn answer(&mut self, call: CallId, answer: Answer) {
        let Some(Call { from, to, .. }) = self.calls.get(&call) else { return };
        let Some(node) = from.node() else {
            self.calls.remove(&call);
            return;
        };
        let is_lost = !self.can_reach(node, Node::Worker(*to)) || self.loses_call();
        let answer = if is_lost { Answer::ConnectionLost } else { answer };
        let delay_ms = self.delay();
        self.schedule.after(delay_ms, Event::Answer { call, answer });
    }

    fn loses_call(&mut self) -> bool {
        self.plan.nature == Nature::Faulty
            && self.is_active()
            && self.random.below(1_000) < self.plan.lost_calls
    }
}
